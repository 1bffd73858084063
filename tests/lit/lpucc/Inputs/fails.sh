#!/bin/sh
# fails.sh CODE COMMAND…: the command must exit with CODE and say one line with "error:" on stderr, nothing on stdout.
# Lines of progress ("lpucc: 10 s: scheduling"), which a slow host may see, do not count.
code=$1
shift
out=$(mktemp)
text=$("$@" 2>&1 >"$out") && actual=0 || actual=$?
text=$(printf '%s\n' "$text" | grep -v '^lpucc: [0-9]* s: ')
said=$(cat "$out")
rm -f "$out"
printf '%s\n' "$text"
[ "$actual" = "$code" ] || { echo "exit code $actual, expected $code"; exit 1; }
[ "$(printf '%s\n' "$text" | wc -l)" = 1 ] || { echo "more than one line"; exit 1; }
case "$text" in *"error: "*) ;; *) echo "no error:"; exit 1 ;; esac
[ -z "$said" ] || { echo "output on stdout"; exit 1; }
