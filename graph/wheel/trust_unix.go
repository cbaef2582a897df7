//go:build unix

package wheel

import (
	"io/fs"
	"os"
	"syscall"
)

// isOpen reports whether every user can write to a file or folder. Folders that a group shares are allowed.
func isOpen(info fs.FileInfo) bool { return info.Mode().Perm()&0o002 != 0 }

// ownedByUs returns the owner of a file and whether this is the user of the process or root.
func ownedByUs(info fs.FileInfo) (owner int, mine bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, true
	}
	owner = int(stat.Uid)
	return owner, owner == 0 || owner == os.Geteuid()
}
