"""A program's assembly text as a list of lines to edit: find the words of one queue of one step, change them."""
import re


def written_out(lines):
    """timing.md T1.3f: copies c and wait v of a word stand for `repeat c,1,1` and `nop v` behind it."""
    wait = 0  # of the word before, which a `repeat` of a window may follow
    for line in lines:
        if wait and not line.startswith("  repeat "):
            yield f"  nop {wait}"
            wait = 0
        fields = dict(re.findall(r" (copies|wait)=(\d+)", line))
        yield re.sub(r" (copies|wait)=\d+", "", line)
        if "copies" in fields:
            yield f"  repeat count={fields['copies']} interval=1 window=1"
        wait = int(fields.get("wait", wait))
    if wait:
        yield f"  nop {wait}"


class Assembly:
    def __init__(self, text, step, chip_class=None, brief=False):
        """Of a program for several chips, the step of one class. Copies and waits of words are written out as `repeat` and
        `nop`, so that a word can be moved or left out alone; with `brief` they are left as they are."""
        self.lines = text.split("\n") if brief else list(written_out(text.split("\n")))
        self.step, self.chip_class = step, chip_class

    def begin(self):
        """Line that opens the step's program."""
        if self.chip_class is None:
            return next(i for i, l in enumerate(self.lines) if l.startswith(f'.step "{self.step}"'))
        start = next(i for i, l in enumerate(self.lines) if l.startswith(f'.class "{self.chip_class}"'))
        return next(i for i in range(start, len(self.lines)) if self.lines[i].startswith(f'.program "{self.step}"'))

    def queue(self, name):
        """(first, one past the last) line of the queue's words in the step."""
        begin = self.begin()
        begin = next(i for i in range(begin, len(self.lines)) if self.lines[i] == f".queue {name}")
        end = next((i for i in range(begin + 1, len(self.lines)) if self.lines[i].startswith((".queue", ".step", ".program", ".class", ".chip"))),
                   len(self.lines))
        return begin + 1, end

    def queue_with(self, prefix, pattern):
        """Name of the first queue of that kind with a word that matches: the schedule may put it on any."""
        begin = self.begin()
        queue = ""
        for line in self.lines[begin + 1:]:
            if line.startswith((".step", ".program", ".class", ".chip")):
                break
            if line.startswith(".queue "):
                queue = line.split()[1]
            elif queue.startswith(prefix) and re.search(pattern, line):
                return queue
        raise AssertionError(f"no word of {prefix} matches {pattern}")

    def find(self, queue, pattern, nth=0):
        """Line number of the nth word that matches, of the queue or of the first queue of a kind ("vxm.*")."""
        if queue.endswith("*"):
            queue = self.queue_with(queue[:-1], pattern)
        begin, end = self.queue(queue)
        return [i for i in range(begin, end) if re.search(pattern, self.lines[i])][nth]

    def swap(self, queue, pattern, replacement, nth=0):
        """Replaces what matches in the nth matching word."""
        i = self.find(queue, pattern, nth)
        changed = re.sub(pattern, replacement, self.lines[i], count=1)
        assert changed != self.lines[i], self.lines[i]
        self.lines[i] = changed

    def drop(self, queue, pattern, nth=0):
        """Removes a word and keeps the time of the ones after it."""
        self.lines[self.find(queue, pattern, nth)] = "  nop 1"

    def delay(self, queue, pattern, nth=0):
        """Issues the words between the nth matching nop and the nop after it one cycle later, the rest as before."""
        i = self.find(queue, pattern, nth)
        waits = [k for k in range(i, self.queue(queue)[1]) if re.match(r"\s*nop [1-9]\d", self.lines[k])]
        self.wait(waits[0], 1)
        self.wait(waits[1], -1)

    def wait(self, line, by):
        count = int(re.search(r"\d+", self.lines[line])[0]) + by
        assert count >= 1
        self.lines[line] = f"  nop {count}"

    def append(self, queue, *words):
        end = self.queue(queue)[1]
        self.lines[end:end] = [f"  {w}" for w in words]

    def text(self):
        return "\n".join(self.lines)
