;; Reads standard input; it must be closed.
(module
  (import "wasi:cli/stdin@0.2.6" "get-stdin" (func $get (result i32)))
  (import "wasi:io/streams@0.2.6" "[method]input-stream.blocking-read" (func $read (param i32 i64 i32)))
  (memory (export "memory") 3)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func $fail_if (param i32) (if (local.get 0) (then unreachable)))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i32 i32 i64) (result i32)
    (call $read (call $get) (i64.const 4096) (i32.const 64))
    ;; An error, and that it is closed.
    (call $fail_if (i32.ne (i32.load8_u (i32.const 64)) (i32.const 1)))
    (call $fail_if (i32.ne (i32.load8_u (i32.const 68)) (i32.const 1)))
    ;; No events: the answer's three words are zero.
    (i32.const 16)))
