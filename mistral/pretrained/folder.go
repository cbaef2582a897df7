package pretrained

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Names of the weights in a Hugging Face folder.
const (
	weightsFile = "model.safetensors"
	indexFile   = "model.safetensors.index.json"
)

// folder is a Hugging Face folder with its weight files open.
type Folder struct {
	path   string
	shards map[string]*safetensors.File // by file name
	where  map[string]*safetensors.File // by tensor name
}

// openFolder opens every weight file of a folder.
func openFolder(path string) (*Folder, error) {
	if _, err := os.Stat(filepath.Join(path, config.ConfigFile)); err != nil {
		return nil, fmt.Errorf("%s is not a Hugging Face model folder: %w", path, err)
	}
	f := &Folder{path: path, shards: map[string]*safetensors.File{}, where: map[string]*safetensors.File{}}
	if err := f.open(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// forget takes the weights out of memory until they are read again.
func (f *Folder) Forget() {
	for _, shard := range f.shards {
		shard.Forget()
	}
}

func (f *Folder) open() error {
	if _, err := os.Stat(filepath.Join(f.path, weightsFile)); err == nil {
		shard, err := f.shard(weightsFile)
		if err != nil {
			return err
		}
		for _, name := range shard.Names() {
			f.where[name] = shard
		}
		return nil
	}
	place := filepath.Join(f.path, indexFile)
	data, err := os.ReadFile(place)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: neither %s nor %s (weights in other formats must be converted to safetensors first)", f.path, weightsFile, indexFile)
	}
	if err != nil {
		return err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	for name, file := range index.WeightMap {
		shard, err := f.shard(file)
		if err != nil {
			return fmt.Errorf("%s: tensor %s: %w", place, name, err)
		}
		if _, err := shard.Tensor(name); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		f.where[name] = shard
	}
	return nil
}

// shard opens a weight file of the folder once. The name comes from the index and must not lead out of the folder.
func (f *Folder) shard(file string) (*safetensors.File, error) {
	if s := f.shards[file]; s != nil {
		return s, nil
	}
	if file != filepath.Base(file) || !strings.HasSuffix(file, ".safetensors") {
		return nil, fmt.Errorf("%q is not the name of a weight file in this folder", file)
	}
	s, err := safetensors.Open(filepath.Join(f.path, file))
	if err != nil {
		return nil, err
	}
	f.shards[file] = s
	return s, nil
}

func (f *Folder) Names() []string {
	names := make([]string, 0, len(f.where))
	for name := range f.where {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (f *Folder) Info(name string) (safetensors.Tensor, bool) {
	shard, ok := f.where[name]
	if !ok {
		return safetensors.Tensor{}, false
	}
	t, err := shard.Tensor(name)
	t.Bytes = nil
	return t, err == nil
}

func (f *Folder) Tensor(name string) (safetensors.Tensor, error) {
	shard, ok := f.where[name]
	if !ok {
		return safetensors.Tensor{}, fmt.Errorf("%s: no tensor %s", f.path, name)
	}
	return shard.Tensor(name)
}

// fileNames lists the folder's small files: everything but weights and folders.
func (f *Folder) FileNames() ([]string, error) {
	entries, err := os.ReadDir(f.path)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		ext := filepath.Ext(e.Name())
		if !e.IsDir() && slices.Contains([]string{".json", ".jinja", ".txt", ".model", ".md"}, ext) && e.Name() != indexFile {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (f *Folder) ReadFile(name string) ([]byte, error) {
	if name != filepath.Base(name) {
		return nil, fmt.Errorf("%s: %q is not the name of a file in this folder", f.path, name)
	}
	return os.ReadFile(filepath.Join(f.path, name))
}

func (f *Folder) Close() error {
	var errs []error
	for _, s := range f.shards {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
