;; Imports an interface that nobody ever offered.
(module
  (import "wasi:cli/telepathy@0.2.6" "send" (func $send (result i64)))
  (memory (export "memory") 3)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i32 i32 i64) (result i32)
    (drop (call $send))
    ;; No events: the answer's three words are zero.
    (i32.const 16)))
