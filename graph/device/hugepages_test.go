package device

import "testing"

func TestAdviseHugePages(t *testing.T) {
	for _, c := range []struct {
		setting, tunables string
		want              bool
	}{
		{"always [madvise] never\n", "", true},
		{"always [madvise] never\n", "glibc.malloc.arena_max=1", true},
		{"always [madvise] never\n", "glibc.malloc.arena_max=1:glibc.malloc.hugetlb=1", false},
		{"[always] madvise never\n", "", false},
		{"always madvise [never]\n", "", false},
		{"", "", false},
	} {
		if got := adviseHugePages(c.setting, c.tunables) != ""; got != c.want {
			t.Errorf("setting %q, tunables %q: %v, want %v", c.setting, c.tunables, got, c.want)
		}
	}
}
