;; Asks for standard output again and again, and lets go of none.
(module
  (import "wasi:cli/stdout@0.2.6" "get-stdout" (func $get (result i32)))
  (memory (export "memory") 3)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i32 i32 i64) (result i32)
    (loop $flood
      (drop (call $get))
      (br $flood))
    ;; No events: the answer's three words are zero.
    (i32.const 16)))
