package pretrained

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

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

// checkReplaceable returns nil if dir does not exist, is empty, or is a folder that Export wrote.
func checkReplaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(entries) == 0) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".safetensors" {
			continue
		}
		s, err := safetensors.Open(filepath.Join(dir, e.Name()))
		if err != nil {
			continue // either not an exported file or too damaged to tell
		}
		exported := s.Metadata["producer"] == producer
		s.Close()
		if exported {
			return nil
		}
	}
	return errors.New("the folder contains files but no exported model: choose another folder or remove it")
}
