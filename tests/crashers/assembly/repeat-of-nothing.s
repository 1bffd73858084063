.step "a" kind=decode tokens=1 context=1
.queue mem.e0
  repeat count=65535 interval=65535 window=15
