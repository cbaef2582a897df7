package hub

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/gofrs/flock"

	"github.com/bfpo-go/bfpo/datasets/httpclient"
)

// ensure makes a file of a snapshot a link to its blob, which it downloads if the cache lacks it.
func (h *Hub) ensure(ctx context.Context, root, dir, address string, f hubFile) error {
	link := filepath.Join(dir, filepath.FromSlash(f.Name))
	blob := filepath.Join(root, "blobs", f.Blob)
	if info, err := os.Stat(link); err == nil && info.Size() == f.Size {
		if f.Size > verifiedSize || checkHash(link, f) == nil {
			return nil
		}
		// checkHash has removed the damaged link or file; the blob behind a link goes too.
		h.log(fmt.Sprintf("%s is damaged in the cache: downloading it again", link))
		if err := os.Remove(blob); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if info, err := os.Stat(blob); err != nil || info.Size() != f.Size {
		if err := h.download(ctx, address, blob, f); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(link), 0o777); err != nil {
		return err
	}
	target, err := filepath.Rel(filepath.Dir(link), blob)
	if err != nil {
		return err
	}
	// The name is random: a process that died may have left a link, and its number comes again.
	staged := filepath.Join(filepath.Dir(link), ".new-"+rand.Text())
	if err := os.Symlink(target, staged); err != nil {
		return err
	}
	if err := os.Rename(staged, link); err != nil {
		return errors.Join(err, os.Remove(staged))
	}
	return nil
}

// verifiedSize is the size in bytes up to which the hash of a file in the cache is checked at every use. Larger files
// are weights, whose hash would cost as much time as loading them.
const verifiedSize = 16 << 20

// verifyCached checks the hash of the small files of a cached snapshot, which their blobs are named by.
func verifyCached(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		target, err := os.Readlink(path)
		if err != nil || !digest.MatchString(filepath.Base(target)) {
			return nil // a copy, as on systems without links: there is no hash
		}
		f := hubFile{Blob: filepath.Base(target), Size: fileSize(path)}
		if f.Size > verifiedSize {
			return nil
		}
		sum, err := hashOf(path, f, len(f.Blob) == 2*sha256.Size)
		if err == nil && sum != f.Blob {
			err = fmt.Errorf("%s is damaged: its hash is %s, and its name in the cache is %s; remove the file that it links to "+
				"and download it again", path, sum, f.Blob)
		}
		return err
	})
}

// download fetches a blob into BLOB.incomplete, continuing an earlier download, and renames the file when its size and
// hash are right. The Python library's lock keeps two processes from downloading the same blob.
func (h *Hub) download(ctx context.Context, address, blob string, f hubFile) error {
	root := filepath.Dir(filepath.Dir(blob))
	locks := filepath.Join(h.Cache, ".locks", filepath.Base(root))
	for _, dir := range []string{filepath.Dir(blob), locks} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			return err
		}
	}
	lock := flock.New(filepath.Join(locks, f.Blob+".lock"))
	if err := lock.Lock(); err != nil {
		return err
	}
	defer lock.Unlock()
	if info, err := os.Stat(blob); err == nil && info.Size() == f.Size {
		return nil // another process has downloaded it
	}
	if f.Size > 10<<20 {
		h.log(fmt.Sprintf("downloading %s (%d MB)", f.Name, f.Size>>20))
	}

	partial := blob + ".incomplete"
	damaged := 0
	for had := int64(-1); ; {
		err := h.repeat(ctx, func() error {
			if err := h.fetch(ctx, address, partial, f.Size); err != nil {
				return err
			}
			err := checkHash(partial, f)
			var wrong *hashError
			if errors.As(err, &wrong) {
				if damaged++; damaged == maxDamaged { // not a fault of the connection
					err = backoff.Permanent(fmt.Errorf("%w, %d times", err, damaged))
				}
			}
			return err
		})
		if err == nil {
			break
		}
		have := fileSize(partial)
		if have <= had || damaged >= maxDamaged || ctx.Err() != nil {
			return err
		}
		had = have // the connection is bad, but the file grows
	}
	if err := os.Rename(partial, blob); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(blob))
}

// fetch appends the bytes that a file of the given size still lacks.
func (h *Hub) fetch(ctx context.Context, address, partial string, size int64) error {
	out, err := os.OpenFile(partial, os.O_WRONLY|os.O_CREATE, 0o666)
	if err != nil {
		return err
	}
	defer out.Close()
	from, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if from < size {
		ctx, watch, stop := httpclient.Stall(ctx, stallLimit)
		defer stop()
		response, err := h.get(ctx, address, from)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		if response.StatusCode != http.StatusPartialContent {
			from = 0 // the server ignores ranges and sends the file from its beginning
		}
		if _, err := out.Seek(from, io.SeekStart); err != nil {
			return err
		}
		n, err := io.Copy(out, watch(io.LimitReader(response.Body, size-from+1)))
		if err != nil {
			return fmt.Errorf("after %d of %d bytes: %w", from+n, size, err)
		}
		from += n
	}
	if from != size {
		if from > size {
			os.Remove(partial)
		}
		return fmt.Errorf("%d bytes came, the listing says %d", from, size)
	}
	if err := out.Truncate(size); err != nil {
		return err
	}
	return out.Sync()
}

// stallLimit is the time without a byte after which a download's connection is closed.
const stallLimit = time.Minute

// maxDamaged is the number of downloads of a file with the wrong hash after which it is given up.
const maxDamaged = 2

// hashError is the error of a download with the wrong hash.
type hashError struct{ have, want string }

func (e *hashError) Error() string {
	return fmt.Sprintf("the download's hash is %s, the listing says %s", e.have, e.want)
}

// checkHash compares a file with the hash in the hub's listing. A file that differs is removed.
func checkHash(name string, f hubFile) error {
	have, err := hashOf(name, f, f.LFS != nil)
	if err == nil && have != f.Blob {
		os.Remove(name)
		err = &hashError{have, f.Blob}
	}
	return err
}

// hashOf returns the hash of a file by which the hub names it: SHA-256 for a file in LFS, else git's SHA-1 of a blob.
func hashOf(name string, f hubFile, lfs bool) (string, error) {
	in, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	var sum hash.Hash
	if lfs {
		sum = sha256.New()
	} else {
		sum = sha1.New()
		fmt.Fprintf(sum, "blob %d\x00", f.Size)
	}
	if _, err := io.Copy(sum, in); err != nil {
		return "", err
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func fileSize(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

// writeFile replaces a small file atomically: a reader sees either the old or the new content.
func writeFile(name string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), name); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(name))
}

func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
