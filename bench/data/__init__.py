"""The data facility beside its peers: `make bench-data`.

A round is a module with `measure(scene, *, small) -> Table` (or several tables); it makes what
it needs below `scene.folder`, runs ours and the peers in turn (`turns.in_turn`), with fsync on,
and leaves nothing behind. Peers come from `peers.program`; one that cannot be had is said so.
"""
