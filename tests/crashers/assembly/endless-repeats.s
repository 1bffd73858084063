.step "a" kind=decode tokens=1 context=1
.queue mem.e0
  notify
  sync
  mem rd=1
  repeat count=65535 interval=1 window=1
  mem rd=1
  repeat count=65535 interval=1 window=1
