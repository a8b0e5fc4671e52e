package docs_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// testCommand is the only command of the pages that is not run from here: it
// would run this test.
const testCommand = "go test ./...\n"

// TestCommandsDoWhatThePagesSay sits down at a terminal and types what stands in
// each page, one after the other.
func TestCommandsDoWhatThePagesSay(t *testing.T) {
	term := newTerminal(t)
	for _, page := range []string{"README.md", "examples/quickstart/README.md", "docs/reload.md", "docs/configuration.md", "docs/control.md", "docs/supervision.md"} {
		t.Run(page, func(t *testing.T) {
			term.t = t
			list := blocks(t, page)
			for i, b := range list {
				if b.lang != "sh" || b.text == testCommand {
					continue
				}
				want := ""
				if i+1 < len(list) && list[i+1].lang == "text" {
					want = list[i+1].text
				}
				term.typeIn(b, want)
			}
			term.leave()
		})
	}
}

// terminal is a copy of the repository and a shell in it.
type terminal struct {
	t          *testing.T
	dir        string
	env        []string
	address    string // of the loopback network, nobody else's
	foreground []*running
}

// running is a start that stays in the foreground.
type running struct {
	block block
	done  chan error

	mu  sync.Mutex
	out bytes.Buffer
}

func newTerminal(t *testing.T) *terminal {
	dir := t.TempDir()
	term := &terminal{t: t, dir: filepath.Join(dir, "dserver"), address: loopback()}
	bin := filepath.Join(dir, "path")
	self, err := os.Executable()
	if err == nil {
		err = os.Mkdir(bin, 0o755)
	}
	if err == nil {
		err = os.Symlink(self, filepath.Join(bin, "curl"))
	}
	if err == nil {
		err = os.CopyFS(term.dir, sources{os.DirFS(root)})
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, tree := range []string{"cmd", "examples"} {
		term.moveAddresses(filepath.Join(term.dir, tree))
	}
	term.env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "DSERVER_RUNTIME_DIR="+filepath.Join(dir, "run"))
	t.Cleanup(term.tidy)
	return term
}

// loopback chooses an address on which the ports of the pages are free: all of
// 127.0.0.0/8 is this machine.
func loopback() string {
	return fmt.Sprintf("127.%d.%d.%d", 1+rand.IntN(250), rand.IntN(250), 1+rand.IntN(250))
}

// sources is a tree without what a build does not need.
type sources struct{ fs.FS }

// ReadDir implements fs.ReadDirFS.
func (s sources) ReadDir(name string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(s.FS, name)
	return slices.DeleteFunc(entries, func(e fs.DirEntry) bool {
		if e.IsDir() {
			return strings.HasPrefix(e.Name(), ".") || e.Name() == "bin" || e.Name() == "testdata"
		}
		return !slices.Contains([]string{".go", ".mod", ".sum", ".toml"}, filepath.Ext(e.Name())) || strings.HasSuffix(e.Name(), "_test.go")
	}), err
}

// moveAddresses lets everything below dir listen on the terminal's own address.
func (m *terminal) moveAddresses(dir string) {
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(path, []byte(m.here(string(text))), 0o644)
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *terminal) here(text string) string { return strings.ReplaceAll(text, "127.0.0.1", m.address) }

// typeIn runs a block and compares what it prints, unless want is empty.
func (m *terminal) typeIn(b block, want string) {
	m.t.Helper()
	if staysInForeground(b.text) {
		m.try(m.start(b))
		return
	}
	cmd := m.shell(b)
	out, err := cmd.CombinedOutput()
	if err != nil {
		m.t.Fatalf("%s:%d: %v\n%s%s", b.page, b.line, err, b.text, out)
	}
	if got := string(out); want != "" && shape(got) != shape(want) {
		m.t.Errorf("%s:%d: the page says that\n%sprints\n%sbut it prints\n%s", b.page, b.line, b.text, want, got)
	}
}

func (m *terminal) shell(b block) *exec.Cmd {
	cmd := exec.CommandContext(m.t.Context(), "sh", "-e", "-c", m.here(b.text))
	cmd.Dir, cmd.Env, cmd.WaitDelay = m.dir, m.env, time.Second
	return cmd
}

// staysInForeground tells whether a block is a start that nobody waits for.
func staysInForeground(text string) bool {
	words := strings.Fields(text)
	return strings.Count(text, "\n") == 1 && slices.Contains(words, "start") && !slices.Contains(words, "-d")
}

// start runs a block in the background and returns when all is ready and the last
// suggestion, how to stop it, was made.
func (m *terminal) start(b block) *running {
	m.t.Helper()
	r := &running{block: b, done: make(chan error, 1)}
	cmd := m.shell(b)
	cmd.Stdout, cmd.Stderr = r, r
	if err := cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go func() { r.done <- cmd.Wait() }()
	m.foreground = append(m.foreground, r)
	limit := time.After(2 * time.Minute)
	for tick := time.Tick(20 * time.Millisecond); !strings.Contains(r.said(), " stop "); {
		select {
		case <-tick:
		case err := <-r.done:
			m.t.Fatalf("%s:%d: %s ended: %v\n%s", b.page, b.line, b.text, err, r.said())
		case <-limit:
			m.t.Fatalf("%s:%d: %s is not ready\n%s", b.page, b.line, b.text, r.said())
		}
	}
	return r
}

// try types what a start suggests, but for the last line, which stops it.
func (m *terminal) try(r *running) {
	m.t.Helper()
	_, hint, _ := strings.Cut(r.said(), "Try in another terminal:\n")
	commands, _, _ := strings.Cut(hint, " stop ")
	if !strings.Contains(commands, "\n") {
		m.t.Errorf("%s:%d: the start suggests nothing:\n%s", r.block.page, r.block.line, r.said())
		return
	}
	for command := range strings.Lines(commands[:strings.LastIndex(commands, "\n")+1]) {
		m.typeIn(block{page: "the hint of " + r.block.page, line: r.block.line, text: command}, "")
	}
}

// Write implements io.Writer.
func (r *running) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Write(p)
}

func (r *running) said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.String()
}

// leave checks at the end of a page that nothing of it goes on.
func (m *terminal) leave() {
	m.t.Helper()
	for _, r := range m.foreground {
		select {
		case err := <-r.done:
			if err != nil {
				m.t.Errorf("%s:%d: %s ended with %v\n%s", r.block.page, r.block.line, r.block.text, err, r.said())
			}
		case <-time.After(30 * time.Second):
			m.t.Errorf("%s:%d: %s goes on after the end of the page", r.block.page, r.block.line, r.block.text)
		}
	}
	m.foreground = nil
	if left, _ := filepath.Glob(filepath.Join(m.dir, "../run/*/ctl.sock")); left != nil {
		m.t.Errorf("after the page %v still run", left)
	}
}

// tidy stops what a page that has failed left behind.
func (m *terminal) tidy() {
	left, _ := filepath.Glob(filepath.Join(m.dir, "../run/*/ctl.sock"))
	for _, socket := range left {
		stop := exec.Command("go", "run", "./cmd/dserver", "stop", "--name", filepath.Base(filepath.Dir(socket)))
		stop.Dir, stop.Env = m.dir, m.env
		if out, err := stop.CombinedOutput(); err != nil {
			m.t.Logf("cannot stop what has the socket %s: %v\n%s", socket, err, out)
		}
	}
}

// shape is what an output looks like whatever its numbers, paths and widths are.
func shape(text string) string {
	text = regexp.MustCompile(`\b[0-9a-f]{12}\b`).ReplaceAllString(text, "ID")
	text = regexp.MustCompile(`(\d+(\.\d+)*(h|ms|m|s|µs)?)+`).ReplaceAllString(text, "N")
	text = regexp.MustCompile(`( from |log: )/\S+`).ReplaceAllString(text, "${1}PATH")
	text = regexp.MustCompile(`[ \t]+`).ReplaceAllString(text, " ")
	return strings.TrimSpace(regexp.MustCompile(` ?\n`).ReplaceAllString(text, "\n"))
}
