#!/bin/sh
# Starts the store in the foreground. The password goes in on standard input, so that no process list shows it.
#
#   INITSHAPE_REDIS_PASSWORD_FILE   a file with the password (required)
#   INITSHAPE_REDIS_CONF            default /etc/initshape/redis.conf
#   INITSHAPE_REDIS_DIR             where the append-only file lies; default /data
#   INITSHAPE_REDIS_BIND            addresses, instead of those of the configuration file
#   INITSHAPE_REDIS_SERVER          the program; default: valkey-server or redis-server, whichever is found
set -eu

password=$(cat "${INITSHAPE_REDIS_PASSWORD_FILE:?is not set}")
case $password in
    '') echo "start-redis: the password is empty" >&2; exit 1 ;;
    *[!A-Za-z0-9_.~-]*) echo "start-redis: the password may have letters, digits and _ . ~ - only" >&2; exit 1 ;;
esac

server=${INITSHAPE_REDIS_SERVER:-$(command -v valkey-server || command -v redis-server)}
exec "$server" - <<CONFIGURATION
include "${INITSHAPE_REDIS_CONF:-/etc/initshape/redis.conf}"
dir "${INITSHAPE_REDIS_DIR:-/data}"
${INITSHAPE_REDIS_BIND:+bind $INITSHAPE_REDIS_BIND}
requirepass "$password"
CONFIGURATION
