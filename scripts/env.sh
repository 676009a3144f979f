#!/usr/bin/env bash
# Writes .env for docker-compose.yml: .env.example, with every empty value replaced by a random one.
# A file that is there is left alone: its secrets are in use.   scripts/env.sh [FILE]
set -euo pipefail
cd "$(dirname "$0")/.."
file=${1:-.env}
if [ -e "$file" ]; then
  echo "$file is there already; nothing is changed"
  exit 0
fi

# 22 letters and digits: 131 bits, and the length of a Kafka cluster's id.
random() { LC_ALL=C tr -dc 'A-Za-z0-9' < <(head -c 4096 /dev/urandom) | head -c 22; }

umask 077
new=$(mktemp "$file.XXXXXX")
while IFS= read -r line; do
  case $line in
    [A-Z]*=) echo "$line$(random)" ;;
    *) echo "$line" ;;
  esac
done <.env.example >"$new"
# Without -f: whoever was quicker keeps theirs.
ln "$new" "$file" && rm -f "$new"
echo "$file is written: ports from .env.example, secrets made for this machine"
