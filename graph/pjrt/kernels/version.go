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

// Version returns a hash of the C sources of this package and of the version of the compiler that built them. Results of one version are
// the same to the last bit on one kind of processor, so keys of compiled programs and of stored results contain it.
func Version() string {
	hash := sha256.New()
	fmt.Fprintf(hash, "compiler %s\n", compilerVersion())
	err := fs.WalkDir(sources, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := sources.ReadFile(name)
		fmt.Fprintf(hash, "%s %d\n%s", name, len(text), text)
		return err
	})
	if err != nil {
		panic(err) // an embedded file that cannot be read is an error of the Go tool
	}
	return hex.EncodeToString(hash.Sum(nil))[:16]
}
