"""What every way of training is given and gives back, whatever computes it: settings, progress, solution, history."""
