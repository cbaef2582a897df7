//go:build !unix

package wheel

import "io/fs"

// isOpen is false here: the mode of a file does not tell who can write to it.
func isOpen(fs.FileInfo) bool { return false }

// ownedByUs is true here: the folders of a user's profile are closed to other users.
func ownedByUs(fs.FileInfo) (owner int, mine bool) { return 0, true }
