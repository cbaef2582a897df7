package kernels

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
)

//go:embed *.c *.h
var sources embed.FS

// Version returns a hash of this package's C sources and of the version of the compiler that has compiled them. Keys of
// compiled programs and of stored results contain it, so that no result of other kernels is used again.
func Version() string { return hashSources(sources, compilerVersion()) }

func hashSources(files fs.FS, compiler string) string {
	hash := sha256.New()
	fmt.Fprintf(hash, "compiler %q\n", compiler)
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(files, name)
		fmt.Fprintf(hash, "%q %d\n%s", name, len(text), text)
		return err
	})
	if err != nil {
		panic(err) // an embedded file that cannot be read is an error of the Go tool
	}
	return hex.EncodeToString(hash.Sum(nil))[:16]
}
