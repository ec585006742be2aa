# What all three servers have from the first day on: nothing of it is encrypted.

region = "global"

server {
  enabled          = true
  bootstrap_expect = 3

  server_join {
    retry_join     = ["127.0.0.2", "127.0.0.3", "127.0.0.4"]
    retry_interval = "1s"
  }
}
