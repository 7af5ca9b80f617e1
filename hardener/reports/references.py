"""What a rule's references stand for: catalogue, version, title and address of `CIS-Docker-1.6.0-4.2`, `CWE-250`, `OWASP-D01`.

Titles are kept here, so that reports and `explain` can name them offline. An entry that is not listed is still linked.
Sources: cwe.mitre.org; OWASP Docker Top 10; CIS Docker Benchmark 1.6.0, chapters 4 and 5, in our words.
"""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from hardener.record import NamedTuple

CIS: Final = "CIS Docker Benchmark"
CWE: Final = "CWE"
OWASP: Final = "OWASP Docker Top 10"

_FORM: Final = re.compile(r"CIS-Docker-(?P<version>\d+(?:\.\d+)*)-(?P<cis>\d+(?:\.\d+)*)|CWE-(?P<cwe>\d+)|OWASP-(?P<owasp>D\d\d)")

CIS_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "4.1": "Create a user for the container",
        "4.2": "Use trusted base images only",
        "4.3": "Leave unnecessary packages out of the container",
        "4.4": "Scan images and rebuild them with security patches",
        "4.5": "Enable content trust",
        "4.6": "Add HEALTHCHECK instructions",
        "4.7": "Do not use update instructions alone",
        "4.8": "Remove setuid and setgid permissions",
        "4.9": "Use COPY instead of ADD",
        "4.10": "Store no secrets in Dockerfiles",
        "4.11": "Install verified packages only",
        "4.12": "Validate signed artifacts",
        "5.2": "Enable an AppArmor profile",
        "5.3": "Set SELinux options",
        "5.4": "Restrict Linux kernel capabilities",
        "5.5": "Use no privileged containers",
        "5.6": "Mount no sensitive host directories",
        "5.7": "Run no sshd in containers",
        "5.8": "Map no privileged ports",
        "5.9": "Open needed ports only",
        "5.10": "Do not share the host's network namespace",
        "5.11": "Limit memory",
        "5.12": "Set CPU priority",
        "5.13": "Mount the root filesystem read-only",
        "5.14": "Bind incoming traffic to one host interface",
        "5.15": "Limit restarts on failure",
        "5.16": "Do not share the host's process namespace",
        "5.17": "Do not share the host's IPC namespace",
        "5.18": "Expose no host devices",
        "5.19": "Override default ulimits where needed",
        "5.20": "Do not share mount propagation",
        "5.21": "Do not share the host's UTS namespace",
        "5.22": "Keep the default seccomp profile",
        "5.23": "Run no docker exec with --privileged",
        "5.24": "Run no docker exec as root",
        "5.25": "Confirm cgroup usage",
        "5.26": "Forbid the gain of new privileges",
        "5.27": "Check health at run time",
        "5.28": "Use the newest version of an image",
        "5.29": "Limit the number of processes",
        "5.30": "Do not use the default bridge",
        "5.31": "Do not share the host's user namespaces",
        "5.32": "Do not mount the Docker socket",
    }
)

OWASP_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "D01": "Secure User Mapping",
        "D02": "Patch Management Strategy",
        "D03": "Network Segmentation and Firewalling",
        "D04": "Secure Defaults and Hardening",
        "D05": "Maintain Security Contexts",
        "D06": "Protect Secrets",
        "D07": "Resource Protection",
        "D08": "Container Image Integrity and Origin",
        "D09": "Follow Immutable Paradigm",
        "D10": "Logging",
    }
)

CWE_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "77": "Command Injection",
        "78": "OS Command Injection",
        "94": "Code Injection",
        "200": "Exposure of Sensitive Information to an Unauthorized Actor",
        "214": "Invocation of Process Using Visible Sensitive Information",
        "250": "Execution with Unnecessary Privileges",
        "256": "Plaintext Storage of a Password",
        "259": "Use of Hard-coded Password",
        "266": "Incorrect Privilege Assignment",
        "269": "Improper Privilege Management",
        "276": "Incorrect Default Permissions",
        "284": "Improper Access Control",
        "295": "Improper Certificate Validation",
        "306": "Missing Authentication for Critical Function",
        "311": "Missing Encryption of Sensitive Data",
        "312": "Cleartext Storage of Sensitive Information",
        "319": "Cleartext Transmission of Sensitive Information",
        "321": "Use of Hard-coded Cryptographic Key",
        "345": "Insufficient Verification of Data Authenticity",
        "347": "Improper Verification of Cryptographic Signature",
        "353": "Missing Support for Integrity Check",
        "390": "Detection of Error Condition Without Action",
        "391": "Unchecked Error Condition",
        "400": "Uncontrolled Resource Consumption",
        "404": "Improper Resource Shutdown or Release",
        "426": "Untrusted Search Path",
        "427": "Uncontrolled Search Path Element",
        "459": "Incomplete Cleanup",
        "477": "Use of Obsolete Function",
        "489": "Active Debug Code",
        "494": "Download of Code Without Integrity Check",
        "522": "Insufficiently Protected Credentials",
        "526": "Cleartext Storage of Sensitive Information in an Environment Variable",
        "532": "Insertion of Sensitive Information into Log File",
        "538": "Insertion of Sensitive Information into Externally-Accessible File or Directory",
        "540": "Inclusion of Sensitive Information in Source Code",
        "552": "Files or Directories Accessible to External Parties",
        "561": "Dead Code",
        "668": "Exposure of Resource to Wrong Sphere",
        "670": "Always-Incorrect Control Flow Implementation",
        "671": "Lack of Administrator Control over Security",
        "672": "Operation on a Resource after Expiration or Release",
        "693": "Protection Mechanism Failure",
        "710": "Improper Adherence to Coding Standards",
        "732": "Incorrect Permission Assignment for Critical Resource",
        "754": "Improper Check for Unusual or Exceptional Conditions",
        "755": "Improper Handling of Exceptional Conditions",
        "770": "Allocation of Resources Without Limits or Throttling",
        "778": "Insufficient Logging",
        "798": "Use of Hard-coded Credentials",
        "829": "Inclusion of Functionality from Untrusted Control Sphere",
        "922": "Insecure Storage of Sensitive Information",
        "1004": "Sensitive Cookie Without 'HttpOnly' Flag",
        "1059": "Insufficient Technical Documentation",
        "1104": "Use of Unmaintained Third Party Components",
        "1108": "Excessive Reliance on Global Variables",
        "1125": "Excessive Attack Surface",
        "1164": "Irrelevant Code",
        "1188": "Initialization of a Resource with an Insecure Default",
        "1327": "Binding to an Unrestricted IP Address",
        "1329": "Reliance on Component That is Not Updateable",
        "1357": "Reliance on Insufficiently Trustworthy Component",
        "1395": "Dependency on Vulnerable Third-Party Component",
    }
)


class Reference(NamedTuple):
    """One reference, taken apart. `catalogue` is empty for a plain address and for text that is neither."""

    text: str  # as the rule has it
    catalogue: str  # CIS, CWE or OWASP, or empty
    version: str  # of the catalogue, where the reference gives one
    id: str  # 4.2, CWE-250, D01
    title: str  # empty when not known
    url: str  # empty when there is none

    @property
    def label(self) -> str:
        """What a person reads: `CWE-250: Execution with Unnecessary Privileges`, or the address itself."""
        if not self.catalogue:
            return self.text
        name = self.id if self.catalogue == CWE else " ".join(part for part in (self.catalogue, self.version, self.id) if part)
        return f"{name}: {self.title}" if self.title else name


def reference(text: str) -> Reference:
    """Return the parts of a rule's reference."""
    form = _FORM.fullmatch(text)
    if form is None:
        return Reference(text, "", "", text, "", text if text.startswith(("https://", "http://")) else "")
    if number := form["cwe"]:
        return Reference(text, CWE, "", text, CWE_TITLES.get(number, ""), f"https://cwe.mitre.org/data/definitions/{number}.html")
    if risk := form["owasp"]:
        return Reference(text, OWASP, "", risk, OWASP_TITLES.get(risk, ""), "https://owasp.org/www-project-docker-top-10/")
    return Reference(
        text, CIS, form["version"], form["cis"], CIS_TITLES.get(form["cis"], ""), "https://www.cisecurity.org/benchmark/docker"
    )
