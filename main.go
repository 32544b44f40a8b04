// Strongroom is a document vault: one static binary, one data directory, no
// services beside it.
package main

func main() {}
