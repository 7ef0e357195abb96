;; Asks for random numbers, as many as it may at once; the seed must be the host's own.
(module
  (import "wasi:random/random@0.2.6" "get-random-bytes" (func $bytes (param i64 i32)))
  (import "wasi:random/insecure-seed@0.2.6" "insecure-seed" (func $seed (param i32)))
  (memory (export "memory") 3)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func $fail_if (param i32) (if (local.get 0) (then unreachable)))
  (func (export "keyhole:strategy/paging@0.1.0#page")
    (param i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i32 i32 i64) (result i32)
    (call $bytes (i64.const 4096) (i32.const 64))
    (call $fail_if (i32.ne (i32.load (i32.const 68)) (i32.const 4096)))
    (call $seed (i32.const 80))
    (call $fail_if (i64.ne (i64.load (i32.const 80)) (i64.const 0x6b6579686f6c6500)))
    ;; No events: the answer's three words are zero.
    (i32.const 16)))
