"""Spec -> process: the executor, and what is kept of containers.

A step of a launch is a module with a pure `plan(spec)` and an `apply` that does it, outside or inside the container.

    a launch     container (all plans first), parent (outside), init (inside: the page to audit), sync, enter (`exec`)
    who it is    program, users, privileges, idmaps, namespaces, hostname, network, sysctls, rlimits, scheduling, reaper (`--init`)
    walls        seccomp, landlock, labels; walls reads them from the kernel
    files        mounts, layers, destinations, options, devices, masks, copying, cgroup_mount, volumes, borrowed, removal
    limits       cgroups, limits, rare_limits, device_rules, delegation, group_ends, freezer, hits, usage
    its end      waiting, and with a terminal: terminal (inside), console (outside)
    a record     job, state, locks, places, processes, clock, leftovers; lifecycle is what commands do to it
    detached     detach, then supervisor; logs, attach; health, and probe for each check of it
    speed        kept, packed
"""
