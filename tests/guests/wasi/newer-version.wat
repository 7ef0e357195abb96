;; Imports the log from a newer version of the package.
(module
  (import "keyhole:strategy/log@0.2.0" "high-water" (func $high (result i64)))
  (memory (export "memory") 3)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i32 i32 i64) (result i32)
    (drop (call $high))
    ;; No events: the answer's three words are zero.
    (i32.const 16)))
