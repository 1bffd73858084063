# Two chips: one sends a row to the other, whose program starts when it can arrive.
.step "s"
.class "from"
.region "x" kind=constant rows=1
.row 05
.program "s"
.queue mem.e0
notify
sync
mem rd=1 rdstream=e0
.queue c2c.0
sync
nop 12
send stream=e0
.class "to" layers=3
.program "s"
.queue c2c.3
notify
sync
nop 5
receive stream=w1
.chip "from"
.chip "to" start=223
.wire 0 0 1 3
