package hub

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/bfpo-go/bfpo/datasets/httpclient"
)

// Snapshot downloads the files of a repository that pass the filter, unless the cache has them, and returns their
// folder. kind is models or datasets; revision is a branch, tag or commit ("": main). The size and the hash of every
// file are checked; an interrupted download continues where it stopped. Without a network, or with Offline, the cached
// snapshot of the revision is returned.
func (h *Hub) Snapshot(
	ctx context.Context,
	kind, repo, revision string,
	filter func(name string) bool,
) (dir string, err error) {
	if revision == "" {
		revision = "main"
	}
	if !repoID.MatchString(repo) || !filepath.IsLocal(revision) {
		return "", fmt.Errorf("%s@%s: not a hub id", repo, revision)
	}
	root := filepath.Join(h.Cache, kind+"--"+strings.ReplaceAll(repo, "/", "--"))
	if h.Offline {
		return cachedSnapshot(root, repo, revision, errors.New("HF_HUB_OFFLINE is set"))
	}
	if err := h.checkToken(); err != nil {
		return "", fmt.Errorf("hub %s@%s: %w", repo, revision, err)
	}
	commit, files, err := h.list(ctx, kind, repo, revision)
	var lost *unreachable
	if errors.As(err, &lost) {
		dir, err := cachedSnapshot(root, repo, revision, err)
		if err == nil {
			h.log(fmt.Sprintf("hub not reachable: using the cached %s@%s", repo, revision))
		}
		return dir, err
	} else if err != nil {
		return "", fmt.Errorf("hub %s@%s: %w", repo, revision, err)
	}

	dir = filepath.Join(root, "snapshots", commit)
	for _, f := range files {
		if !filter(f.Name) {
			continue
		}
		address := h.Endpoint + "/" + map[string]string{"datasets": "datasets/"}[kind] + repo + "/resolve/" + commit + "/" +
			(&url.URL{Path: f.Name}).EscapedPath()
		if err := h.ensure(ctx, root, dir, address, f); err != nil {
			return "", fmt.Errorf("hub %s@%s: file %s: %w", repo, revision, f.Name, err)
		}
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return "", err
	}
	if revision == commit {
		return dir, nil
	}
	return dir, writeFile(filepath.Join(root, "refs", filepath.FromSlash(revision)), []byte(commit))
}

// list asks the hub for the commit of a revision and for its files.
func (h *Hub) list(ctx context.Context, kind, repo, revision string) (string, []hubFile, error) {
	address := fmt.Sprintf("%s/api/%s/%s/revision/%s?blobs=true", h.Endpoint, kind, repo, url.PathEscape(revision))
	var answer struct {
		SHA      string    `json:"sha"`
		Siblings []hubFile `json:"siblings"`
	}
	err := h.repeat(ctx, func() error {
		ctx, watch, stop := httpclient.Stall(ctx, stallLimit)
		defer stop()
		response, err := h.get(ctx, address, 0)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		return json.NewDecoder(io.LimitReader(watch(response.Body), 64<<20)).Decode(&answer)
	})
	if err != nil {
		return "", nil, err
	}
	if !commitID.MatchString(answer.SHA) {
		return "", nil, fmt.Errorf("%s answers without a commit: is it a hub?", h.Endpoint)
	}
	for i, f := range answer.Siblings {
		if f.LFS != nil {
			answer.Siblings[i].Blob, answer.Siblings[i].Size = f.LFS.SHA256, f.LFS.Size
		}
		if f := answer.Siblings[i]; !filepath.IsLocal(filepath.FromSlash(f.Name)) || !digest.MatchString(f.Blob) ||
			f.Size < 0 {
			return "", nil, fmt.Errorf("the listing has an unusable entry %q (hash %q)", f.Name, f.Blob)
		}
	}
	return answer.SHA, answer.Siblings, nil
}

// cachedSnapshot returns the folder of a revision in the cache; why is the reason for not asking the hub.
func cachedSnapshot(root, repo, revision string, why error) (string, error) {
	commit := revision
	if !commitID.MatchString(revision) {
		ref, err := os.ReadFile(filepath.Join(root, "refs", filepath.FromSlash(revision)))
		if err != nil {
			return "", notCached(root, repo, revision, why)
		}
		commit = strings.TrimSpace(string(ref))
	}
	dir := filepath.Join(root, "snapshots", commit)
	if _, err := os.Stat(dir); err != nil || !commitID.MatchString(commit) {
		return "", notCached(root, repo, revision, why)
	}
	return dir, verifyCached(dir)
}

// notCached is the error for a revision that neither the cache nor the hub has.
func notCached(root, repo, revision string, why error) error {
	return fmt.Errorf("%s@%s is not in the cache (%s) and cannot be downloaded: %w; "+
		"name a local folder instead, copy the cache from a machine that has it, or set HF_ENDPOINT to a mirror",
		repo, revision, root, why)
}
