# Renders chat templates for lpu-serve: one JSON object a line in, one a line out. Templates come from model files and are
# code of strangers: they run in Jinja's sandbox, in a process of few rights, memory and time.
import datetime
import json
import resource
import sys

MEMORY = 512 << 20
SECONDS = 2
OUTPUT = 1 << 20
DATE = datetime.datetime(2025, 1, 1)  # the same prompt every day

resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))


def say(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


try:
    from jinja2.exceptions import TemplateError
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError:
    say({"error": "python3-jinja2 is not installed"})
    sys.exit(1)


def raise_exception(message):
    raise TemplateError(message)


def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"])
environment.filters["tojson"] = tojson
environment.globals["raise_exception"] = raise_exception
environment.globals["strftime_now"] = DATE.strftime
compiled = {}


def render(request):
    if "check" in request:
        environment.from_string(request["check"])
        return ""
    source = request.pop("template")
    if source not in compiled:
        compiled.clear()
        compiled[source] = environment.from_string(source)
    out, size = [], 0
    for piece in compiled[source].generate(tools=None, **request):
        size += len(piece)
        if size > OUTPUT:
            raise TemplateError("it writes more than 1 MiB")
        out.append(piece)
    return "".join(out)


say({"ready": True})
for line in sys.stdin:
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime) + SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
    try:
        say({"text": render(json.loads(line))})
    except Exception as error:
        say({"error": f"{type(error).__name__}: {error}"[:500]})
