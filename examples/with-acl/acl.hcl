# On every server, beside its other files.
acl {
  enabled = true
}
