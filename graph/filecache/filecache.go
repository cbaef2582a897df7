// Package filecache keeps what is costly to make again in a folder of files, one an entry, named by a hash of all that the entry was
// made from. Several processes may share a folder.
package filecache

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
)

// Cache is a folder of entries of one kind. Its errors are not the caller's trouble: what cannot be read is made again, what cannot be
// written is not kept. A Cache is safe for concurrent use and must not be copied.
type Cache struct {
	Dir    string // empty: nothing is kept
	Magic  string // begins every file; ends in a number that goes up when the layout of an entry or of its key changes
	Suffix string // of the files' names
	Limit  int64  // bytes of all entries together

	mu sync.Mutex // one eviction at a time
}

// Key is the SHA-256 over the lengths and contents of parts.
func Key(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (c *Cache) path(key string) string { return filepath.Join(c.Dir, key+c.Suffix) }

// Get returns the content of an entry if there is a whole one, and marks it as used now. A damaged entry is removed.
func (c *Cache) Get(key string) ([]byte, bool) {
	if c.Dir == "" {
		return nil, false
	}
	data, err := os.ReadFile(c.path(key))
	if err != nil {
		return nil, false
	}
	body, ok := bytes.CutPrefix(data, []byte(c.Magic))
	if ok && len(body) > sha256.Size {
		sum := sha256.Sum256(body[sha256.Size:])
		if bytes.Equal(sum[:], body[:sha256.Size]) {
			now := time.Now()
			_ = os.Chtimes(c.path(key), now, now)
			return body[sha256.Size:], true
		}
	}
	c.Remove(key)
	return nil, false
}

// Remove drops an entry that turned out to be unusable.
func (c *Cache) Remove(key string) { _ = os.Remove(c.path(key)) }

// Put stores an entry by rename and then removes the entries that were not used for longest until the folder fits its limit.
func (c *Cache) Put(key string, content []byte) error {
	if c.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	err := atomicfile.Write(c.path(key), func(w io.Writer) error {
		for _, part := range [][]byte{[]byte(c.Magic), sum[:], content} {
			if _, err := w.Write(part); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	return c.evict()
}

// staleAfter is the age from which on a temporary file can only be what a process that died has left.
const staleAfter = time.Hour

func (c *Cache) evict() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	entries, err := os.ReadDir(c.Dir)
	if err != nil {
		return err
	}
	var files []fs.FileInfo
	var total int64
	for _, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			continue // another process removed it
		}
		if strings.HasSuffix(entry.Name(), c.Suffix) {
			files = append(files, info)
			total += info.Size()
		} else if strings.HasPrefix(entry.Name(), atomicfile.TemporaryPrefix) && time.Since(info.ModTime()) > staleAfter {
			_ = os.Remove(filepath.Join(c.Dir, entry.Name()))
		}
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int {
		return cmp.Or(a.ModTime().Compare(b.ModTime()), cmp.Compare(a.Name(), b.Name()))
	})
	for _, file := range files {
		if total <= c.Limit {
			break
		}
		_ = os.Remove(filepath.Join(c.Dir, file.Name()))
		total -= file.Size()
	}
	return nil
}
