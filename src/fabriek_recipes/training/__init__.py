"""What the training recipes share: process, packing, loop, checkpoints, scoring, saving."""
