-- KEYS: the jobs' keys. ARGV: clock, ids -> 1 where a result of the first is stored
for k = 2, #ARGV do
  pcall(touch, ARGV[k]) -- a server whose disk is full takes no new lifetime, but results can still be read
end
return call('EXISTS', K.result .. ARGV[2])
