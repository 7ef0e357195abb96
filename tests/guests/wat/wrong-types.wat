;; The right names with wrong types: a high-water that is a text.
(component
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
    (export "page-request" (type $request (eq $request')))))
  (alias export $types "page-request" (type $request))
  (import "keyhole:strategy/log@0.1.0" (instance $log
    (export "event" (type (sub resource)))
    (export "high-water" (func (result string)))))
  (core module $module
    (memory (export "memory") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
    (func (export "page") (param i64 i64 i32 i64 i32 i32 i32 i32 i64 i64 i32 i32 i64) (result i32) (i32.const 16)))
  (core instance $main (instantiate $module))
  (func $page (param "request" $request) (result (result (list u8) (error string)))
    (canon lift (core func $main "page") (memory $main "memory") (realloc (func $main "realloc"))))
  (instance $paging (export "page" (func $page)))
  (export "keyhole:strategy/paging@0.1.0" (instance $paging)))
