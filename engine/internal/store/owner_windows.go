package store

import "os"

// OwnedLike leaves it to access lists who may write where.
func OwnedLike(os.FileInfo, ...os.FileInfo) bool { return true }
