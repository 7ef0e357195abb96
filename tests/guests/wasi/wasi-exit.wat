;; Ends the process; only the strategy may end.
(module
  (import "wasi:cli/exit@0.2.6" "exit" (func $exit (param i32)))
  (memory (export "memory") 3)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i32 i32 i64) (result i32)
    (call $exit (i32.const 0))
    ;; No events: the answer's three words are zero.
    (i32.const 16)))
