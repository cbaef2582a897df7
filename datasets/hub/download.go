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
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// ensure makes a file of a snapshot a link to its blob, which it downloads if the cache lacks it.
func (h *Hub) ensure(ctx context.Context, root, dir, address string, f hubFile) error {
	link := filepath.Join(dir, filepath.FromSlash(f.Name))
	if info, err := os.Stat(link); err == nil && info.Size() == f.Size {
		return nil
	}
	blob := filepath.Join(root, "blobs", f.Blob)
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
	for had := int64(-1); ; {
		err := h.repeat(ctx, func() error {
			if err := h.fetch(ctx, address, partial, f.Size); err != nil {
				return err
			}
			return checkHash(partial, f)
		})
		if err == nil {
			break
		}
		have := fileSize(partial)
		if have <= had || ctx.Err() != nil {
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
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
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
		stalled := time.AfterFunc(stallLimit, cancel)
		defer stalled.Stop()
		n, err := io.Copy(out, &watched{io.LimitReader(response.Body, size-from+1), stalled})
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

// watched restarts a timer whenever bytes arrive.
type watched struct {
	io.Reader
	stalled *time.Timer
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.stalled.Reset(stallLimit)
	}
	return n, err
}

// checkHash compares a file with the hash in the hub's listing: SHA-256 for a file in LFS, else git's SHA-1 of a blob.
// A file that differs is removed.
func checkHash(name string, f hubFile) error {
	in, err := os.Open(name)
	if err != nil {
		return err
	}
	defer in.Close()
	var sum hash.Hash
	if f.LFS != nil {
		sum = sha256.New()
	} else {
		sum = sha1.New()
		fmt.Fprintf(sum, "blob %d\x00", f.Size)
	}
	if _, err := io.Copy(sum, in); err != nil {
		return err
	}
	if have := hex.EncodeToString(sum.Sum(nil)); have != f.Blob {
		os.Remove(name)
		return fmt.Errorf("the download's hash is %s, the listing says %s", have, f.Blob)
	}
	return nil
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
