// REQUIRES: lpu-opt
// RUN: lpu-opt %s --stream-allocate-memory=target=small | FileCheck %s

// 26 tables of whole banks of 1024 rows, and tiles of 8 rows on either side of the small machine: 16 slices a side for
// tiles, 12 inner ones, two banks each. Every inner group has a written object in its first bank and would have a
// constant in its second, so that tables with the other vectors would find 2 · 8 second banks of the tiles' slices
// alone; and in both banks of the outermost slices they would leave no sixteen neighbouring ones to the tiles of side 0.
// So they take second banks: the 16 behind the inner groups, then 10 of the inner groups' 12, from outside.

// CHECK: stream.object @t0 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 12 : i64}
stream.object @t0 role("constant") planes(16) rows(8) plane(0) content {kind = "ones"}
// CHECK: stream.object @t2 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 1 : i64, slice = 12 : i64}
stream.object @t2 role("constant") planes(16) rows(8) plane(2) content {kind = "ones"}

// Constants keep their groups, and their banks where no table has them.
// CHECK: stream.object @c0 {{.*}}place {bank = 0 : i64, row = 10 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @c0 role("constant") planes(4) rows(3) hint(0) content {kind = "ones"}
// CHECK: stream.object @w0 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @w0 role("scratch") planes(4) rows(10) hint(0)
// CHECK: stream.object @c1 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 0 : i64}
stream.object @c1 role("constant") planes(4) rows(3) hint(1) content {kind = "ones"}
// CHECK: stream.object @w1 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 1 : i64, slice = 0 : i64}
stream.object @w1 role("scratch") planes(4) rows(10) hint(1)
// CHECK: stream.object @c2 {{.*}}place {bank = 0 : i64, row = 10 : i64, side = 0 : i64, slice = 4 : i64}
stream.object @c2 role("constant") planes(4) rows(3) hint(2) content {kind = "ones"}
// CHECK: stream.object @w2 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 4 : i64}
stream.object @w2 role("scratch") planes(4) rows(10) hint(2)
// CHECK: stream.object @c3 {{.*}}place {bank = 0 : i64, row = 10 : i64, side = 1 : i64, slice = 4 : i64}
stream.object @c3 role("constant") planes(4) rows(3) hint(3) content {kind = "ones"}
// CHECK: stream.object @w3 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 1 : i64, slice = 4 : i64}
stream.object @w3 role("scratch") planes(4) rows(10) hint(3)
// CHECK: stream.object @c4 {{.*}}place {bank = 0 : i64, row = 10 : i64, side = 0 : i64, slice = 8 : i64}
stream.object @c4 role("constant") planes(4) rows(3) hint(4) content {kind = "ones"}
// CHECK: stream.object @w4 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 0 : i64, slice = 8 : i64}
stream.object @w4 role("scratch") planes(4) rows(10) hint(4)
// CHECK: stream.object @c5 {{.*}}place {bank = 0 : i64, row = 10 : i64, side = 1 : i64, slice = 8 : i64}
stream.object @c5 role("constant") planes(4) rows(3) hint(5) content {kind = "ones"}
// CHECK: stream.object @w5 {{.*}}place {bank = 0 : i64, row = 0 : i64, side = 1 : i64, slice = 8 : i64}
stream.object @w5 role("scratch") planes(4) rows(10) hint(5)

// CHECK: stream.object @table0 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 24 : i64}
stream.object @table0 role("constant") planes(2) rows(1024) hint(0) content {kind = "ones"}
// CHECK: stream.object @table1 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 26 : i64}
stream.object @table1 role("constant") planes(2) rows(1024) hint(1) content {kind = "ones"}
// CHECK: stream.object @table2 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 20 : i64}
stream.object @table2 role("constant") planes(2) rows(1024) hint(2) content {kind = "ones"}
// CHECK: stream.object @table3 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 22 : i64}
stream.object @table3 role("constant") planes(2) rows(1024) hint(3) content {kind = "ones"}
// CHECK: stream.object @table4 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 16 : i64}
stream.object @table4 role("constant") planes(2) rows(1024) hint(4) content {kind = "ones"}
// CHECK: stream.object @table5 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 18 : i64}
stream.object @table5 role("constant") planes(2) rows(1024) hint(5) content {kind = "ones"}
// CHECK: stream.object @table6 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 12 : i64}
stream.object @table6 role("constant") planes(2) rows(1024) hint(0) content {kind = "ones"}
// CHECK: stream.object @table7 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 14 : i64}
stream.object @table7 role("constant") planes(2) rows(1024) hint(1) content {kind = "ones"}
// CHECK: stream.object @table8 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 24 : i64}
stream.object @table8 role("constant") planes(2) rows(1024) hint(2) content {kind = "ones"}
// CHECK: stream.object @table9 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 26 : i64}
stream.object @table9 role("constant") planes(2) rows(1024) hint(3) content {kind = "ones"}
// CHECK: stream.object @table10 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 20 : i64}
stream.object @table10 role("constant") planes(2) rows(1024) hint(4) content {kind = "ones"}
// CHECK: stream.object @table11 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 22 : i64}
stream.object @table11 role("constant") planes(2) rows(1024) hint(5) content {kind = "ones"}
// CHECK: stream.object @table12 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 16 : i64}
stream.object @table12 role("constant") planes(2) rows(1024) hint(0) content {kind = "ones"}
// CHECK: stream.object @table13 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 18 : i64}
stream.object @table13 role("constant") planes(2) rows(1024) hint(1) content {kind = "ones"}
// CHECK: stream.object @table14 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 12 : i64}
stream.object @table14 role("constant") planes(2) rows(1024) hint(2) content {kind = "ones"}
// CHECK: stream.object @table15 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 14 : i64}
stream.object @table15 role("constant") planes(2) rows(1024) hint(3) content {kind = "ones"}
// CHECK: stream.object @table16 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 8 : i64}
stream.object @table16 role("constant") planes(2) rows(1024) hint(4) content {kind = "ones"}
// CHECK: stream.object @table17 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 10 : i64}
stream.object @table17 role("constant") planes(2) rows(1024) hint(5) content {kind = "ones"}
// CHECK: stream.object @table18 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 4 : i64}
stream.object @table18 role("constant") planes(2) rows(1024) hint(0) content {kind = "ones"}
// CHECK: stream.object @table19 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 6 : i64}
stream.object @table19 role("constant") planes(2) rows(1024) hint(1) content {kind = "ones"}
// CHECK: stream.object @table20 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 0 : i64}
stream.object @table20 role("constant") planes(2) rows(1024) hint(2) content {kind = "ones"}
// CHECK: stream.object @table21 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 0 : i64, slice = 2 : i64}
stream.object @table21 role("constant") planes(2) rows(1024) hint(3) content {kind = "ones"}
// CHECK: stream.object @table22 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 8 : i64}
stream.object @table22 role("constant") planes(2) rows(1024) hint(4) content {kind = "ones"}
// CHECK: stream.object @table23 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 10 : i64}
stream.object @table23 role("constant") planes(2) rows(1024) hint(5) content {kind = "ones"}
// CHECK: stream.object @table24 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 4 : i64}
stream.object @table24 role("constant") planes(2) rows(1024) hint(0) content {kind = "ones"}
// CHECK: stream.object @table25 {{.*}}place {bank = 1 : i64, row = 0 : i64, side = 1 : i64, slice = 6 : i64}
stream.object @table25 role("constant") planes(2) rows(1024) hint(1) content {kind = "ones"}
