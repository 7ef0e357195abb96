;; Asks for more random bytes than there is memory in the world.
(module
  (import "wasi:random/random@0.2.6" "get-random-bytes" (func $bytes (param i64 i32)))
  (memory (export "memory") 3)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i32 i32 i64) (result i32)
    (call $bytes (i64.const 0x7fffffffffffffff) (i32.const 64))
    ;; No events: the answer's three words are zero.
    (i32.const 16)))
