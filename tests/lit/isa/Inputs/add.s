# y = x + 1.0 on 64 lanes: x in bank 0 of slices e0..e3, y in bank 1.
# Read at 0, at position 1 at 5, at VXM at 6, sum at 10, back at position 1 at 11.
.region "x" kind=zero slices=4 rows=1
.region "y" kind=scratch slices=4 bank=1 rows=1

.step "add" kind=decode tokens=1 context=1
.utilization vxm=0.25
.input  "x" width=4 items=1 vectors=1 lanesused=64 elements=64 slice0=0
.output "y" width=4 items=1 vectors=1 lanesused=64 elements=64 slice0=0 bank=1

.queue mem.e0
  notify
  sync
.label "load"
  mem rd=1 rdstream=w0
  nop 10
.label "store"
  mem wr=1 wrbank=1 wrstream=e0
.queue mem.e1
  sync
  mem rd=1 rdstream=w1
  nop 10
  mem wr=1 wrbank=1 wrstream=e1
.queue mem.e2
  sync
  mem rd=1 rdstream=w2
  nop 10
  mem wr=1 wrbank=1 wrstream=e2
.queue mem.e3
  sync
  mem rd=1 rdstream=w3
  nop 10
  mem wr=1 wrbank=1 wrstream=e3
.queue vxm.0
  sync
  nop 6
.label "add"
  addf a=w0:4 b=imm imm=1.0f out=e0:4
