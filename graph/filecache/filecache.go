// Package filecache keeps results that are expensive to compute in a folder: one file per entry, named by a hash of
// everything that the entry was computed from. Several processes may share a folder.
//
// Every file carries its key and a checksum of key and content, so a damaged, half-written or renamed entry is a miss
// and is removed. When the folder exceeds its limit, the entries that were not used for the longest time go first. The
// package knows nothing about what its entries mean; of this project it imports only graph/atomicfile.
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

// Cache is a folder of entries of one kind. A caller can ignore its errors: an entry that cannot be read is computed
// again, and one that cannot be written is not kept. A Cache is safe for concurrent use and must not be copied.
type Cache struct {
	Dir    string // if empty, nothing is kept
	Magic  string // the start of every file; ends in a number that grows when the layout of entries or keys changes
	Suffix string // the end of every file name
	Limit  int64  // of the size of all entries together, in bytes

	mu sync.Mutex // held during eviction
}

// Key returns the SHA-256 of the lengths and contents of parts, in hexadecimal.
func Key(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(p))))
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (c *Cache) path(key string) string { return filepath.Join(c.Dir, key+c.Suffix) }

// maxEntry is the largest size of an entry in bytes.
const maxEntry = 1 << 40

// Get returns the content of an entry and marks it as just used. It returns false if there is none, and removes one
// that is damaged or that was stored under another key.
func (c *Cache) Get(key string) ([]byte, bool) {
	if c.Dir == "" {
		return nil, false
	}
	data, err := atomicfile.ReadLimited(c.path(key), maxEntry) // not a pipe, which could wait for ever
	if err != nil {
		return nil, false
	}
	content, ok := c.unpack(key, data)
	if !ok {
		c.Remove(key)
		return nil, false
	}
	now := time.Now()
	_ = os.Chtimes(c.path(key), now, now)
	return content, true
}

// unpack returns the content of a whole file: the magic, the SHA-256 of the rest, the key in a line, the content.
func (c *Cache) unpack(key string, data []byte) (content []byte, ok bool) {
	body, ok := bytes.CutPrefix(data, []byte(c.Magic))
	if !ok || len(body) < sha256.Size {
		return nil, false
	}
	sum, entry := body[:sha256.Size], body[sha256.Size:]
	if now := sha256.Sum256(entry); !bytes.Equal(now[:], sum) {
		return nil, false
	}
	return bytes.CutPrefix(entry, []byte(key+"\n"))
}

// Remove removes an entry that turned out to be unusable.
func (c *Cache) Remove(key string) { _ = os.Remove(c.path(key)) }

// Put stores an entry atomically, by a rename. It then removes the entries that were not used for the longest time
// until the folder is within its limit.
func (c *Cache) Put(key string, content []byte) error {
	if c.Dir == "" {
		return nil
	}
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return err
	}
	line := []byte(key + "\n")
	hash := sha256.New()
	hash.Write(line)
	hash.Write(content)
	err := atomicfile.Write(c.path(key), func(w io.Writer) error {
		for _, part := range [][]byte{[]byte(c.Magic), hash.Sum(nil), line, content} {
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

// evict removes the entries used least recently until the rest is within the limit, and partial files that are stale.
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
