;; A resource of its own whose destructor never returns.
(component $strategy
  (import "keyhole:strategy/types@0.1.0" (instance $types
    (type $actor (option s64))
    (type $action (option string))
    (type $filter' (record (field "from-ts" s64) (field "to-ts" s64) (field "actor-id" $actor) (field "action" $action)))
    (export "filter" (type $filter (eq $filter')))
    (type $key' (record (field "created-at" s64) (field "id" s64)))
    (export "key" (type $key (eq $key')))
    (type $position' (variant (case "page" u64) (case "after" $key)))
    (export "position" (type $position (eq $position')))
    (type $request' (record
      (field "filter" $filter) (field "position" $position) (field "page-size" u32) (field "up-to" $actor)))
    (export "page-request" (type $request (eq $request')))
    (type $denial' (record (field "rule" string) (field "object" string)))
    (export "denial" (type $denial (eq $denial')))
    (type $overrun' (record (field "limit" string) (field "allowed" u64)))
    (export "overrun" (type $overrun (eq $overrun')))
    (type $error' (variant
      (case "denied" $denial) (case "budget" $overrun) (case "busy") (case "too-large" $overrun)
      (case "sql" string) (case "unknown-event" s64) (case "payload-corrupt" s64)
      (case "log-needs-recovery") (case "scratch-full") (case "other" string)))
    (export "error" (type $error (eq $error')))))
  (alias export $types "page-request" (type $request))
  (alias export $types "error" (type $error))
  (import "keyhole:strategy/log@0.1.0" (instance $log
    (export "event" (type (sub resource)))))
  (alias export $log "event" (type $event))
  (core module $destructors
    (func (export "spin") (param i32) (loop $again (br $again))))
  (core instance $destructors (instantiate $destructors))
  (type $thing (resource (rep i32) (dtor (func $destructors "spin"))))
  (core func $new (canon resource.new $thing))
  (core func $drop (canon resource.drop $thing))
  (core module $module
    (import "thing" "new" (func $new (param i32) (result i32)))
    (import "thing" "drop" (func $drop (param i32)))
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "page")
      (param i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i32 i32 i64) (result i32)
      (call $drop (call $new (i32.const 1)))
      (i32.const 16)))
  (core instance $main (instantiate $module
    (with "thing" (instance (export "new" (func $new)) (export "drop" (func $drop))))))
  (func $page (param "request" $request) (result (result (list (own $event)) (error $error)))
    (canon lift (core func $main "page") (memory $main "memory") (realloc (func $main "realloc"))))
  (instance $paging (export "page" (func $page)))
  (export "keyhole:strategy/paging@0.1.0" (instance $paging)))
