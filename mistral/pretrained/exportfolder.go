package pretrained

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/bfpo-go/bfpo/graph/atomicfile"
	"github.com/bfpo-go/bfpo/mistral/config"
	"github.com/bfpo-go/bfpo/mistral/safetensors"
)

// maxShardBytes is the size above which the weights are split into several files, as by Hugging Face's tools.
const maxShardBytes = 5_000_000_000

// producer marks the weight files of an exported folder, so that a later export may replace the folder.
const producer = "bfpo"

// writeShards writes model.safetensors, or if the weights exceed limit bytes, several files of at most limit bytes
// and their index. A tensor that is larger than limit gets a file for itself.
func writeShards(dir string, sources []safetensors.Source, limit int64) error {
	var shards [][]safetensors.Source
	var total, size int64
	for _, t := range sources {
		if len(shards) == 0 || size+t.Size() > limit {
			shards, size = append(shards, nil), 0
		}
		last := len(shards) - 1
		shards[last] = append(shards[last], t)
		size += t.Size()
		total += t.Size()
	}
	metadata := map[string]string{"format": "pt", "producer": producer}
	if len(shards) == 1 {
		return safetensors.Write(filepath.Join(dir, weightsFile), metadata, sources)
	}
	shardOf := map[string]string{}
	for i, shard := range shards {
		name := fmt.Sprintf("model-%05d-of-%05d.safetensors", i+1, len(shards))
		for _, t := range shard {
			shardOf[t.Name] = name
		}
		if err := safetensors.Write(filepath.Join(dir, name), metadata, shard); err != nil {
			return err
		}
	}
	index, err := config.Marshal(config.Object{
		"metadata": config.Object{"total_size": total, "producer": producer}, "weight_map": shardOf,
	})
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, indexFile), func(w io.Writer) error {
		_, err := w.Write(index)
		return err
	})
}

// exportedFiles lists the files that Export takes over from a model, besides config, weights and chat template.
func exportedFiles() []string {
	return []string{
		config.TokenizerFile, "tekken.json", "tokenizer.model", "vocab.json", "merges.txt", config.TokenizerConfigFile,
		config.SpecialTokensFile, "added_tokens.json", config.GenerationConfigFile,
	}
}

// CheckReplaceable returns nil if dir does not exist, is empty, or is a folder that Export wrote and to which nobody
// added a file.
func CheckReplaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(entries) == 0) {
		return nil
	}
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return isExport(filepath.Join(dir, e.Name())) }) {
		return errors.New("the folder contains files but no exported model: choose another folder or remove it")
	}
	own := append(exportedFiles(), config.ConfigFile, config.ChatTemplateFile, indexFile, cardFile)
	for _, e := range entries {
		if e.IsDir() || !slices.Contains(own, e.Name()) && filepath.Ext(e.Name()) != ".safetensors" {
			return fmt.Errorf("%s is no part of an exported model: move it elsewhere, or choose another folder",
				filepath.Join(dir, e.Name()))
		}
	}
	return nil
}

// cardFile is the model card, which the callers of Export write.
const cardFile = "README.md"

// isExport reports whether a file holds weights that Export wrote.
func isExport(path string) bool {
	if filepath.Ext(path) != ".safetensors" {
		return false
	}
	s, err := safetensors.Open(path)
	if err != nil {
		return false // either not an exported file or too damaged to tell
	}
	defer s.Close()
	return s.Metadata["producer"] == producer
}
