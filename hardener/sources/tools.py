"""Which options of the tools in Dockerfiles take a value, and which tools have sub-commands.

Without it `curl -o sudo https://…` would download from `sudo`. Only options whose value may stand in the *next* word need a place
here; `--name=value` explains itself. Source: the manual of each tool, as of 2026.
"""

from typing import Final

from hardener.record import NamedTuple


class Tool(NamedTuple):
    """How the arguments of one program are to be read.

    `style` is empty for getopt (`-abc`, `--name`), or `single` (`-name`), `wget` (`-nv` is one option), `tar` (`xzf` without a
    dash), `chmod` (`-x` is a mode), `echo` (three letters, anything else is text), `plain` (no options at all).
    """

    values: str = ""  # options that take a value
    subcommands: bool = False  # the first operand is a sub-command
    groups: str = ""  # sub-commands that have sub-commands of their own
    style: str = ""
    stops: bool = False  # nothing after the first operand is an option
    equals: bool = False  # -o=value means value, not =value
    booleans: bool = False  # a flag may be followed by true or false
    ignores_case: bool = False  # flags are lower-cased, and -name:value carries a value
    default: str = ""  # the sub-command when none is given


UNKNOWN: Final = Tool()
CMDLET: Final = Tool(
    "-path -literalpath -destination -destinationpath -filepath -argumentlist -name -value -itemtype -scope -repository -requiredversion "
    "-minimumversion -source -providername -outfile -uri -property -filter -executionpolicy",
    style="single",
    ignores_case=True,
)

_APT: Final = Tool(
    "-t --target-release --default-release -o --option -c --config-file -a --host-architecture -P --build-profiles --with-source",
    subcommands=True,
    equals=True,
)
_DNF: Final = Tool(
    "-c --config -d --debuglevel -e --errorlevel -x --exclude --excludepkgs --enablerepo --disablerepo --repo --repoid --repofrompath "
    "--installroot --releasever -R --randomwait --setopt --disableplugin --enableplugin --forcearch --comment --downloaddir --destdir "
    "--advisory --bz --cve --sec-severity --color --rpmverbosity --add-repo --from-repofile",
    subcommands=True,
    groups="module group copr",
)
_USERADD: Final = Tool(
    "-b --base-dir -c --comment -d --home-dir --home -e --expiredate -f --inactive -g --gid -G --groups -k --skel -K --key -p --password "
    "-R --root -P --prefix -s --shell -u --uid -Z --selinux-user"
)
_DOCKER: Final = Tool(
    "--config -c --context -H --host -l --log-level --tlscacert --tlscert --tlskey",
    subcommands=True,
    groups="image container volume network system compose buildx builder context manifest plugin secret swarm service stack node trust",
    equals=True,
)
_COPYING: Final = Tool("-S --suffix -t --target-directory")
_CONDA: Final = Tool(
    "-n --name -p --prefix -c --channel -f --file --solver --platform --subdir --repodata-fn --override-channels-file --set --append --add",
    subcommands=True,
    groups="env",
)

TOOLS: Final[dict[str, Tool]] = {
    "addgroup": Tool("-g --gid --firstgid --lastgid --conf"),
    "adduser": Tool(
        "-h -g -s -G -u -k -c -d --home --shell --uid --gid --ingroup --gecos --firstuid --lastuid --firstgid --lastgid --conf --comment "
        "--add_extra_groups --home-dir --groups"
    ),
    "apk": Tool(
        "-X --repository -t --virtual -p --root --keys-dir --repositories-file --wait --arch --cache-dir --cache-max-age --timeout "
        "--progress-fd",
        subcommands=True,
    ),
    "apt": _APT,
    "apt-cache": _APT,
    "apt-get": _APT,
    "apt-key": Tool(
        "--keyserver --keyserver-options --homedir --options --keyring --primary-keyring --secret-keyring --trustdb-name -o --output",
        subcommands=True,
    ),
    "apt-mark": Tool("-f --file -o --option -c --config-file", subcommands=True),
    "aptitude": Tool("-t --target-release --default-release -o -F --display-format -O --sort -w --width", subcommands=True, equals=True),
    "aws": Tool(
        "--profile --region --output --query --endpoint-url --color --ca-bundle --cli-read-timeout --cli-connect-timeout "
        "--cli-binary-format",
        subcommands=True,
        groups="configure s3 s3api ecr ecr-public sts iam secretsmanager ssm kms codeartifact lambda eks ec2 cloudformation",
    ),
    "az": Tool(
        "-u --username -p --password -t --tenant -g --resource-group -n --name -o --output --query --subscription --certificate "
        "--federated-token",
        subcommands=True,
        groups="acr aks keyvault storage account vm ad webapp functionapp network group extension devops",
    ),
    "bash": Tool("-c -o -O --rcfile --init-file", stops=True),
    "bun": Tool("--cwd -c --config --registry --cache-dir --backend --filter", subcommands=True, groups="pm"),
    "bundle": Tool("-j --jobs --path --without --with --retry --gemfile --shebang --system-gems", subcommands=True, groups="config"),
    "cargo": Tool(
        "--version --vers --git --branch --tag --rev --path --root --registry --index -p --package --bin --example --features -F "
        "--target --target-dir --manifest-path --profile -j --jobs --color --config -Z -C --message-format --token",
        subcommands=True,
    ),
    "cd": Tool(),
    "chgrp": Tool("--reference"),
    "chmod": Tool("--reference", style="chmod"),
    "chown": Tool("--reference --from"),
    "chpasswd": Tool("-c --crypt-method -s --sha-rounds -R --root -P --prefix"),
    "choco": Tool("--version -s --source --params --package-parameters --ia --install-arguments --checksum", subcommands=True),
    "composer": Tool("-d --working-dir --prefer-install --ignore-platform-req", subcommands=True),
    "conda": _CONDA,
    "cp": _COPYING,
    "curl": Tool(
        "-A -b -c -C -d -D -e -E -F -H -K -m -o -P -Q -r -T -t -u -U -w -x -X -y -Y -z --abstract-unix-socket --alt-svc --aws-sigv4 "
        "--cacert --capath --cert --cert-type --ciphers --config --connect-timeout --connect-to --continue-at --cookie --cookie-jar "
        "--create-file-mode --crlfile --curves --data --data-ascii --data-binary --data-raw --data-urlencode --delegation "
        "--dns-interface --dns-ipv4-addr --dns-ipv6-addr --dns-servers --doh-url --dump-header --ech --egd-file --engine --etag-compare "
        "--etag-save --expect100-timeout --form --form-string --ftp-account --ftp-alternative-to-user --ftp-method --ftp-port "
        "--ftp-ssl-ccc-mode --happy-eyeballs-timeout-ms --haproxy-clientip --header --hostpubmd5 --hostpubsha256 --hsts --interface "
        "--ipfs-gateway --json --keepalive-cnt --keepalive-time --key --key-type --krb --libcurl --limit-rate --local-port "
        "--login-options --mail-auth --mail-from --mail-rcpt --max-filesize --max-redirs --max-time --netrc-file --noproxy "
        "--oauth2-bearer --output --output-dir --parallel-max --pass --pinnedpubkey --preproxy --proto --proto-default --proto-redir "
        "--proxy --proxy-cacert --proxy-capath --proxy-cert --proxy-cert-type --proxy-ciphers --proxy-crlfile --proxy-header --proxy-key "
        "--proxy-key-type --proxy-pass --proxy-pinnedpubkey --proxy-service-name --proxy-tls13-ciphers --proxy-tlspassword "
        "--proxy-tlsuser --proxy-user --proxy1.0 --pubkey --quote --random-file --range --rate --referer --request --request-target "
        "--resolve --retry --retry-delay --retry-max-time --sasl-authzid --service-name --socks4 --socks4a --socks5 --socks5-hostname "
        "--speed-limit --speed-time --stderr --telnet-option --tftp-blksize --time-cond --tls-max --tls13-ciphers --tlspassword "
        "--tlsuser --trace --trace-ascii --trace-config --unix-socket --upload-file --url --url-query --user --user-agent --variable "
        "--write-out"
    ),
    "dnf": _DNF,
    "docker": _DOCKER,
    "doctl": Tool("-t --access-token -c --config --context -o --output", subcommands=True, groups="auth registry compute kubernetes apps"),
    "dotnet": Tool(
        "-s --source -c --configuration -o --output -r --runtime -f --framework -v --verbosity --version --tool-path --configfile "
        "--username --password --name --packages",
        subcommands=True,
        groups="nuget tool",
    ),
    "dpkg": Tool("--root --admindir --instdir --log --path-exclude --path-include --status-fd"),
    "echo": Tool(style="echo"),
    "gcloud": Tool(
        "--project --account --key-file --configuration --zone --region --format --impersonate-service-account --verbosity --filter "
        "--cred-file --password-file",
        subcommands=True,
        groups="auth config components compute container iam projects services storage artifacts builds run secrets functions",
    ),
    "gem": Tool(
        "-v --version -i --install-dir -n --bindir -s --source -P --trust-policy --platform -p --http-proxy --config-file -g --file "
        "--build-root -a --add -r --remove -k --key --host",
        subcommands=True,
    ),
    "git": Tool("-C -c --git-dir --work-tree --namespace --config-env", subcommands=True, groups="submodule remote lfs"),
    "go": Tool(
        "-o -p -mod -modfile -ldflags -gcflags -asmflags -gccgoflags -tags -overlay -pgo -pkgdir -buildmode -compiler -installsuffix -C "
        "-toolexec -exec -coverpkg -coverprofile -run -timeout -count -f",
        subcommands=True,
        groups="mod work tool",
        style="single",
    ),
    "gpasswd": Tool("-a --add -d --delete -M --members -A --administrators -Q --root"),
    "gpg": Tool(
        "--keyserver --keyserver-options --homedir -o --output --options --keyring --primary-keyring --secret-keyring --trustdb-name -u "
        "--local-user -r --recipient --default-key --passphrase --passphrase-fd --passphrase-file --pinentry-mode --trust-model "
        "--status-fd --logger-fd --command-fd --compress-algo --cipher-algo --digest-algo"
    ),
    "grep": Tool("-e --regexp -f --file -m --max-count -A -B -C --include --exclude --exclude-dir"),
    "groupadd": Tool("-g --gid -K --key -p --password -R --root -P --prefix -U --users"),
    "groupmod": Tool("-g --gid -n --new-name -p --password -R --root"),
    "helm": Tool(
        "-n --namespace --version -f --values --set --set-string --username -u --password -p --kube-context --kubeconfig --repo "
        "--ca-file --cert-file --key-file --timeout -d --destination",
        subcommands=True,
        groups="repo plugin registry dependency",
        equals=True,
    ),
    "install": Tool("-m --mode -o --owner -g --group -t --target-directory -S --suffix --strip-program"),
    "invoke-webrequest": Tool(
        "-uri -outfile -headers -method -body -contenttype -credential -certificate -certificatethumbprint -infile -proxy -useragent "
        "-timeoutsec -maximumredirection -sessionvariable -websession -sslprotocol -authentication -token -retryintervalsec "
        "-maximumretrycount",
        style="single",
        ignores_case=True,
    ),
    "ln": _COPYING,
    "gradle": Tool(
        "-p --project-dir -b --build-file -c --settings-file -x --exclude-task -g --gradle-user-home -I --init-script "
        "--console --max-workers"
    ),
    "make": Tool("-C --directory -f --file --makefile -I --include-dir -o --old-file -W --what-if --new-file --eval"),
    "microdnf": _DNF,
    "mix": Tool("--only --target", subcommands=True),
    "mkdir": Tool("-m --mode"),
    "mv": _COPYING,
    "mvn": Tool(
        "-f --file -P --activate-profiles -pl --projects -s --settings -gs --global-settings -t --toolchains -T --threads -rf "
        "--resume-from -l --log-file",
        style="single",
    ),
    "mysql": Tool("-u --user -h --host -P --port -D --database -e --execute -S --socket --defaults-file --defaults-extra-file"),
    "mysqladmin": Tool("-u --user -h --host -P --port -S --socket"),
    "npm": Tool(
        "-C --prefix --registry --loglevel --cache --userconfig --globalconfig -w --workspace --tag --omit --include --only "
        "--save-prefix --location --install-strategy --before --otp --scope --auth-type --ca --cafile --cert --key --proxy --https-proxy "
        "--noproxy --maxsockets --node-options --script-shell --depth --access --fetch-retries --fetch-timeout --fetch-retry-mintimeout "
        "--fetch-retry-maxtimeout --fetch-retry-factor --cache-min --cache-max --cpu --os --libc --tag-version-prefix --audit-level -L",
        subcommands=True,
        groups="config cache",
        booleans=True,
    ),
    "openssl": Tool(
        "-in -out -passin -passout -pass -k -subj -days -newkey -keyout -key -config -CA -CAkey -CAserial -extensions -extfile -reqexts "
        "-connect -servername -CAfile -CApath -inform -outform -algorithm -pkeyopt -name -set_serial -cert -signkey -rand -kfile -iv -K "
        "-S -iter -md -addext -inkey -certfile -caname -topk8-cipher -v2 -starttls -cipher -port",
        subcommands=True,
        style="single",
    ),
    "passwd": Tool("-n --mindays -x --maxdays -w --warndays -i --inactive -R --root -r --repository"),
    "pip": Tool(
        "-r --requirement -c --constraint -i --index-url --extra-index-url -f --find-links -t --target --prefix --root --src -e "
        "--editable --platform --python-version --implementation --abi --progress-bar --upgrade-strategy --no-binary --only-binary "
        "--trusted-host --proxy --retries --timeout --default-timeout --exists-action --cert --client-cert --cache-dir --log --report "
        "--config-settings -C --global-option --install-option --build-option --use-feature --use-deprecated --python --keyring-provider "
        "--root-user-action -d --dest -w --wheel-dir -b --build --build-dir --group --path --format --algorithm",
        subcommands=True,
        groups="cache config",
    ),
    "pipenv": Tool("--python -r --requirements -i --index -e --editable --categories --extra-pip-args --pypi-mirror", subcommands=True),
    "pipx": Tool(
        "--spec -i --index-url --python --pip-args --suffix --preinstall --with-suffix --include-injected", subcommands=True, stops=False
    ),
    "pnpm": Tool(
        "-C --dir -F --filter --store-dir --virtual-store-dir --registry --reporter --loglevel --prefix --network-concurrency "
        "--child-concurrency --modules-dir --lockfile-dir --global-dir --global-bin-dir --config-dir --cache-dir --node-linker "
        "--package-import-method",
        subcommands=True,
        groups="config store cache env",
        booleans=True,
    ),
    "podman": _DOCKER,
    "poetry": Tool(
        "-C --directory -P --project --with --without --only -E --extras -G --group --source --python --format -o --output --repository "
        "-r -u --username -p --password",
        subcommands=True,
        groups="self source cache env",
    ),
    "powershell": Tool(
        "-command -c -file -f -executionpolicy -ep -ex -version -inputformat -outputformat -windowstyle -w -encodedcommand "
        "-workingdirectory",
        style="single",
        ignores_case=True,
        stops=True,
    ),
    "printf": Tool(style="plain"),
    "psql": Tool("-U --username -h --host -p --port -d --dbname -c --command -f --file -v --set --variable -o --output"),
    "python": Tool("-m -c -W -X", stops=True),
    "rm": Tool(),
    "rpm": Tool("--root -r --dbpath -D --define --eval -E --pipe --queryformat --qf --rcfile --macros --prefix --relocate --excludepath"),
    "rustup": Tool(
        "--default-toolchain --profile --default-host -c --component -t --target --toolchain",
        subcommands=True,
        groups="toolchain target component set self",
    ),
    "scp": Tool("-c -F -i -J -l -o -P -S -D -X"),
    "sed": Tool("-e --expression -f --file -l --line-length"),
    "sh": Tool("-c -o", stops=True),
    "ssh": Tool("-B -b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w", stops=True),
    "ssh-keygen": Tool("-t -b -f -N -C -P -O -m -a -I -n -V -s -D -F -R -r -Y"),
    "ssh-keyscan": Tool("-p -t -T -f -O"),
    "sshpass": Tool("-p -f -d -P", stops=True),
    "su": Tool("-c --command --session-command -g --group -G --supp-group -s --shell -w --whitelist-environment"),
    "tar": Tool(
        "-f --file -C --directory -T --files-from -X --exclude-from --exclude --strip-components --strip --transform --xform --owner "
        "--group --mode --mtime -I --use-compress-program -g --listed-incremental -b --blocking-factor -N --newer -V --label -K "
        "--starting-file --add-file --format -H --sort --suffix --record-size -L --tape-length -F --info-script",
        style="tar",
    ),
    "tdnf": _DNF,
    "touch": Tool("-d --date -t -r --reference"),
    "unzip": Tool("-d -P"),
    "useradd": _USERADD,
    "usermod": Tool(
        "-c --comment -d --home -e --expiredate -f --inactive -g --gid -G --groups -l --login -p --password -R --root -P --prefix -s "
        "--shell -u --uid -v --add-subuids -V --del-subuids -w --add-subgids -W --del-subgids -Z --selinux-user"
    ),
    "uv": Tool(
        "--directory --project --config-file --cache-dir --color -p --python -i --index-url --extra-index-url --index --default-index -f "
        "--find-links -r --requirement --requirements -c --constraint --constraints --override -t --target --prefix --no-binary "
        "--only-binary --link-mode --resolution --prerelease --index-strategy --keyring-provider --exclude-newer --python-version "
        "--python-platform --torch-backend --allow-insecure-host --trusted-host --extra --group --no-group --only-group --package --with "
        "--with-requirements --from -e --editable --no-build-package --no-binary-package -P --upgrade-package -o --output-file "
        "--no-install-package",
        subcommands=True,
        groups="pip tool python cache self",
    ),
    "wget": Tool(
        "-o -a -e -i -B -t -O -T -w -Q -P -U -l -A -R -D -I -X --output-file --append-output --execute --input-file --base --tries "
        "--output-document --start-pos --timeout --dns-timeout --connect-timeout --read-timeout --wait --waitretry --quota "
        "--bind-address --limit-rate --user --password --local-encoding --remote-encoding --directory-prefix --cut-dirs --default-page "
        "--http-user --http-password --header --max-redirect --proxy-user --proxy-password --referer --user-agent --post-data "
        "--post-file --method --body-data --body-file --load-cookies --save-cookies --ca-certificate --ca-directory --certificate "
        "--certificate-type --private-key --private-key-type --crl-file --pinnedpubkey --ciphers --secure-protocol --level --accept "
        "--reject --accept-regex --reject-regex --domains --exclude-domains --include-directories --exclude-directories "
        "--retry-on-http-error --prefer-family --restrict-file-names --ftp-user --ftp-password --config --hsts-file --progress "
        "--regex-type --follow-tags --ignore-tags",
        style="wget",
    ),
    "yarn": Tool(
        "--cwd --cache-folder --modules-folder --network-timeout --network-concurrency --registry --mutex --prefix --mode --use-yarnrc "
        "--global-folder --link-folder --preferred-cache-folder --otp",
        subcommands=True,
        groups="config cache global npm plugin policies workspaces",
        default="install",
    ),
    "yum": _DNF,
    "yum-config-manager": Tool("--add-repo --setopt -c --config --releasever"),
    "zypper": Tool(
        "-R --root -D --reposd-dir -C --cache-dir --config -c --installroot --raw-cache-dir --solv-cache-dir --pkg-cache-dir "
        "--releasever -p --plus-repo --plus-content -r --repo --from -t --type --priority --name",
        subcommands=True,
    ),
}

# Further options that take a value once the sub-command is known.
SUBCOMMAND_VALUES: Final[dict[str, str]] = {
    "docker build": (
        "-t --tag -f --file --build-arg --build-context --target --platform --secret --ssh -o --output --progress --cache-from "
        "--cache-to --label --network --add-host --allow --iidfile --metadata-file --builder --ulimit --shm-size -m --memory"
    ),
    "docker exec": "-e --env --env-file -u --user -w --workdir --detach-keys",
    "docker login": "-u --username -p --password",
    "docker run": (
        "-e --env --env-file -v --volume --mount --tmpfs -p --publish --expose --name -h --hostname -u --user -w --workdir --network "
        "--net --network-alias --ip --dns --add-host --link --entrypoint --restart --cap-add --cap-drop --security-opt --device "
        "--group-add --pid --ipc --uts --userns --cgroupns --memory -m --memory-swap --cpus --cpu-shares --cpuset-cpus --pids-limit "
        "--ulimit --sysctl --shm-size --log-driver --log-opt --label -l --label-file --platform --pull --gpus --runtime --stop-signal "
        "--stop-timeout --health-cmd --health-interval --health-retries --health-timeout --init-path --isolation --volumes-from "
        "--volume-driver -a --attach --cidfile"
    ),
    "git apply": "-p -C --directory --exclude --include",
    "git archive": "--format --prefix -o --output --remote --exec",
    "git checkout": "-b -B --orphan --conflict --pathspec-from-file",
    "git clone": (
        "-b --branch -o --origin --depth -j --jobs --reference --reference-if-able --separate-git-dir -u --upload-pack --template "
        "--filter --shallow-since --shallow-exclude --config --server-option --bundle-uri --revision --ref-format"
    ),
    "git commit": "-m --message -F --file --author --date -t --template",
    "git config": "-f --file --blob --type --default --comment --value --url",
    "git fetch": (
        "--depth --deepen -j --jobs --refmap --filter -o --server-option --shallow-since --shallow-exclude --upload-pack --negotiation-tip"
    ),
    "git pull": "--depth --deepen -j --jobs -s --strategy -X --strategy-option --shallow-since --upload-pack",
    "git submodule update": "--depth -j --jobs --reference --filter",
}
SUBCOMMAND_VALUES["docker buildx build"] = SUBCOMMAND_VALUES["docker build"]
SUBCOMMAND_VALUES["docker image build"] = SUBCOMMAND_VALUES["docker build"]
SUBCOMMAND_VALUES["docker container run"] = SUBCOMMAND_VALUES["docker run"]
SUBCOMMAND_VALUES["docker create"] = SUBCOMMAND_VALUES["docker run"]

# Sub-commands whose operands are a command line of its own: `docker run image ls -l`.
RUNNING: Final = frozenset(
    {"docker run", "docker container run", "docker create", "docker exec", "uv run", "poetry run", "go run", "pipx run", "npm exec"}
)

# Other names of the same program, and of the same sub-command.
PROGRAMS: Final = {
    "ash": "sh",
    "bundler": "bundle",
    "composer.phar": "composer",
    "curl.exe": "curl",
    "dash": "sh",
    "dnf-3": "dnf",
    "dnf4": "dnf",
    "dnf5": "dnf",
    "gpg1": "gpg",
    "gpg2": "gpg",
    "gradlew": "gradle",
    "invoke-restmethod": "invoke-webrequest",
    "irm": "invoke-webrequest",
    "iwr": "invoke-webrequest",
    "ksh": "bash",
    "mamba": "conda",
    "micromamba": "conda",
    "mariadb": "mysql",
    "mvnw": "mvn",
    "nodejs": "node",
    "pwsh": "powershell",
    "yarnpkg": "yarn",
    "yum4": "yum",
    "zsh": "bash",
}
SUBCOMMANDS: Final = {
    "npm": {
        "i": "install", "in": "install", "ins": "install", "inst": "install", "insta": "install", "instal": "install", "isnt": "install",
        "isnta": "install", "isntal": "install", "isntall": "install", "add": "install", "ic": "ci", "clean-install": "ci",
        "install-clean": "ci", "isntall-clean": "ci", "up": "update", "upgrade": "update", "c": "config", "rm": "uninstall",
        "un": "uninstall", "remove": "uninstall", "x": "exec", "set": "config set",
    },
    "pnpm": {"i": "install", "up": "update", "upgrade": "update", "rm": "remove", "un": "remove", "uninstall": "remove", "c": "config"},
    "bun": {"i": "install", "a": "add", "rm": "remove"},
    "yarn": {"upgrade-interactive": "upgrade"},
    "gem": {"i": "install"},
    "dnf": {"in": "install", "up": "upgrade", "rm": "remove"},
    "zypper": {
        "in": "install", "up": "update", "dup": "dist-upgrade", "ref": "refresh", "rm": "remove", "cc": "clean", "ar": "addrepo",
        "rr": "removerepo", "si": "source-install",
    },
}  # fmt: skip

_SETS: dict[str, frozenset[str]] = {}


def names(text: str) -> frozenset[str]:
    """Return the set of names in a blank-separated list of this module; kept, since the same few are asked for again and again."""
    found = _SETS.get(text)
    if found is None:
        found = _SETS[text] = frozenset(text.split())
    return found
