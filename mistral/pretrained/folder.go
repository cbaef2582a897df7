package pretrained

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/jsontype"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// Names of the weight file and of the index of several weight files in a Hugging Face folder.
const (
	weightsFile = "model.safetensors"
	indexFile   = "model.safetensors.index.json"
)

// folder is a Hugging Face folder whose weight files are open.
type folder struct {
	smallFiles
	shards  map[string]*safetensors.File // by file name
	shardOf map[string]*safetensors.File // by tensor name
}

// openFolder opens every weight file of a folder.
func openFolder(path string) (*folder, error) {
	if err := refuseAdapter(path); err != nil {
		return nil, err
	}
	if _, err := os.Stat(filepath.Join(path, config.ConfigFile)); err != nil {
		return nil, fmt.Errorf("%s is not a Hugging Face model folder: %w", path, err)
	}
	small, err := openSmallFiles(path)
	if err != nil {
		return nil, err
	}
	f := &folder{
		smallFiles: small, shards: map[string]*safetensors.File{}, shardOf: map[string]*safetensors.File{},
	}
	if err := f.openShards(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ReleasePages lets the system drop the weights that are in memory.
func (f *folder) ReleasePages() {
	for _, shard := range f.shards {
		shard.ReleasePages()
	}
}

// openShards opens the weight file, or all files of the index.
func (f *folder) openShards() error {
	if _, err := os.Stat(filepath.Join(f.path, weightsFile)); err == nil {
		shard, err := f.openShard(weightsFile)
		if err != nil {
			return err
		}
		for _, name := range shard.Names() {
			f.shardOf[name] = shard
		}
		return nil
	}
	place := filepath.Join(f.path, indexFile)
	data, err := f.read(indexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: neither %s nor %s is here (weights in other formats must be converted to safetensors first)",
			f.path, weightsFile, indexFile)
	}
	if err != nil {
		return err
	}
	var index struct {
		WeightMap map[string]string `json:"weight_map"`
	}
	if err := jsontype.Unmarshal(data, &index); err != nil {
		return fmt.Errorf("%s: %w", place, err)
	}
	for name, file := range index.WeightMap {
		shard, err := f.openShard(file)
		if err != nil {
			return fmt.Errorf("%s: tensor %s: %w", place, name, err)
		}
		if _, err := shard.Tensor(name); err != nil {
			return fmt.Errorf("%s: %w", place, err)
		}
		f.shardOf[name] = shard
	}
	return nil
}

// openShard returns a weight file of the folder and opens it if it is not open yet. The name comes from the index
// and must not lead out of the folder.
func (f *folder) openShard(file string) (*safetensors.File, error) {
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

// Names returns the names of all tensors, sorted.
func (f *folder) Names() []string {
	names := make([]string, 0, len(f.shardOf))
	for name := range f.shardOf {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Info returns a tensor without its Bytes, and whether there is one of this name.
func (f *folder) Info(name string) (safetensors.Tensor, bool) {
	shard, ok := f.shardOf[name]
	if !ok {
		return safetensors.Tensor{}, false
	}
	t, err := shard.Tensor(name)
	t.Bytes = nil
	return t, err == nil
}

// Tensor returns a tensor, whose Bytes are part of the mapped weight file.
func (f *folder) Tensor(name string) (safetensors.Tensor, error) {
	shard, ok := f.shardOf[name]
	if !ok {
		return safetensors.Tensor{}, fmt.Errorf("%s: no tensor %s", f.path, name)
	}
	return shard.Tensor(name)
}

// FileNames lists the folder's small files, which are all but the weights and subfolders.
func (f *folder) FileNames() ([]string, error) {
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

// ReadFile reads a file of the folder. Neither the name nor a link may lead out of it.
func (f *folder) ReadFile(name string) ([]byte, error) {
	if name != filepath.Base(name) {
		return nil, fmt.Errorf("%s: %q is not the name of a file in this folder", f.path, name)
	}
	return f.read(name)
}

// Close closes all weight files.
func (f *folder) Close() error {
	errs := []error{f.root.Close()}
	for _, s := range f.shards {
		errs = append(errs, s.Close())
	}
	return errors.Join(errs...)
}
