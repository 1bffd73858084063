// Two chips exchange two bytes of a row on the small machine, and a third byte comes from and goes to another stage.
module attributes {llm.shards = 2 : i64, llm.layers = 1 : i64} {
  stream.object @a role("input") planes(4) rows(2) place {side = 0 : i64, slice = 0 : i64, bank = 0 : i64, row = 0 : i64}
  stream.object @b role("output") planes(4) rows(2) place {side = 1 : i64, slice = 4 : i64, bank = 0 : i64, row = 10 : i64}
  stream.program @p kind("decode") tokens(1) context(64) weight_bytes(0) {
    stream.binding "a" of @a items(2) vectors(1) lanes(64) elements(1)
    stream.phase "exchange" {
      stream.flow repeat(1) {
        stream.send @a[0] byte(0) links([0, 1])
      }
      stream.flow repeat(1) {
        stream.send @a[0] byte(1) links([0])
      }
      stream.flow repeat(1) {
        stream.receive link(0) into [@b] row(0) byte(0)
      }
      stream.flow repeat(1) {
        stream.receive link(0) into [@b] row(0) byte(1)
      }
      stream.flow repeat(1) {
        stream.receive link(7) into [@b, @a] row(1) byte(2)
      }
      stream.flow repeat(1) {
        stream.receive link(7) into [@b] row(1) byte(3)
      }
    }
  }
}
