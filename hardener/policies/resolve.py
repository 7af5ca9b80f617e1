"""The last step before a launch: the profile of a policy becomes the filter that the executor knows."""

from hardener.oci.runtime import Spec
from hardener.policies import seccomp


def resolve(spec: Spec, name: str, *, machine: str, kernel: tuple[int, int]) -> Spec:
    """Return a specification whose `linux.seccomp` is as the OCI runtime specification has it.

    `enforce.apply` leaves a profile in Docker's format there, because which of its rules count depends on the capabilities that flags
    add, on the machine (`uname -m`) and on the kernel. `name` is that of the profile, for errors. Call it after `violations`.
    """
    from json import dumps

    made = Spec.parse(spec.dump())
    if made.linux is not None and made.linux.seccomp:
        held = made.process.capabilities if made.process is not None else None
        capabilities = held.bounding if held is not None else ()
        profile = seccomp.parse(dumps(made.linux.seccomp).encode(), name)
        made.linux.seccomp = seccomp.resolved(profile, machine=machine, capabilities=capabilities, kernel=kernel)
    return made
