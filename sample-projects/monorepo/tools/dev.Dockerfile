# A shell with everything in it, for one developer on one machine.
FROM debian:12
RUN apt-get update && apt-get install -y git curl python3 nodejs npm vim
WORKDIR /work
CMD ["bash"]
