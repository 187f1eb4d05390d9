#!/usr/bin/env bash
# Makes ../archives: one set of small files, packed by Info-ZIP, 7-Zip, bsdtar and GNU tar.
set -euo pipefail
out=$(cd "$(dirname "$0")/../archives" && pwd)
export LC_ALL=C.UTF-8
cd "$(mktemp -d)"
mkdir notes Übungen
printf 'The lamplighter walks the harbour at dusk.\n' > notes/harbour.txt
printf '# Tea\n\nTea leaves unroll in hot water.\n' > notes/tea.md
printf 'Die Übung beginnt mit einem tiefen Atemzug.\n' > Übungen/größe.txt
for _ in $(seq 40); do printf 'Waves break on the mole, one after the other.\n'; done > waves.txt
ln -s notes/harbour.txt link.txt
ln notes/harbour.txt hard.txt
mkfifo pipe
touch empty.txt
truncate -s 1G sparse.txt && echo end >> sparse.txt
rm -f "$out"/*

zip -q -r -y "$out/info-zip.zip" notes Übungen link.txt empty.txt waves.txt
7z a -bd "$out/7-zip.zip" notes Übungen > /dev/null
7z a -bd -psecret "$out/7-zip-locked.zip" notes > /dev/null
7z a -bd -psecret -mem=AES256 "$out/7-zip-aes.zip" notes/tea.md > /dev/null
7z a -bd "$out/7-zip-aes.zip" notes/harbour.txt > /dev/null
7z a -bd -mm=Deflate64 "$out/7-zip-deflate64.zip" notes waves.txt > /dev/null
7z a -bd -mm=LZMA "$out/7-zip-lzma.zip" notes waves.txt > /dev/null
bsdtar -a -cf "$out/bsdtar.zip" notes Übungen
bsdtar -a -cf "$out/bsdtar.tar.xz" notes Übungen link.txt
tar --owner=0 --group=0 --sparse -cjf "$out/gnu.tar.bz2" notes/harbour.txt hard.txt notes/tea.md \
  Übungen link.txt pipe sparse.txt
tar --owner=0 --group=0 -P -czf "$out/gnu-outside.tgz" \
  --transform 's,^notes/tea.md,../../tea.md,' --transform 's,^notes/harbour.txt,/etc/harbour.txt,' \
  notes waves.txt
