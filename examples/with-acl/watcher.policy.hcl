# Whoever watches: reads all, changes nothing.
node {
  policy = "read"
}

agent {
  policy = "read"
}

operator {
  policy = "read"
}
