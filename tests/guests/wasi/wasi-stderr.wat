;; Writes control characters to standard error, and then far more than is kept.
(module
  (import "wasi:cli/stderr@0.2.6" "get-stderr" (func $get (result i32)))
  (import "wasi:io/streams@0.2.6" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
  (memory (export "memory") 3)
  (data (i32.const 1024) "\1b[31mred\r\n!!")
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func $fail_if (param i32) (if (local.get 0) (then unreachable)))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i32 i32 i64) (result i32)
    (local $stream i32)
    (local $count i32)
    (local.set $stream (call $get))
    (call $write (local.get $stream) (i32.const 1024) (i32.const 12) (i32.const 64))
    (call $fail_if (i32.load8_u (i32.const 64)))
    (loop $flood
      (call $write (local.get $stream) (i32.const 8192) (i32.const 4096) (i32.const 64))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if $flood (i32.lt_u (local.get $count) (i32.const 1000))))
    (call $fail_if (i32.load8_u (i32.const 64)))
    ;; No events: the answer's three words are zero.
    (i32.const 16)))
