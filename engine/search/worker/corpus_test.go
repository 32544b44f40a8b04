package worker

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"strongroom/engine/search/extract"
	"strongroom/engine/search/pdf"
)

// corpusReaders are those of the program, for the process that reads.
func corpusReaders(cache string) []extract.Reader {
	return append(extract.Readers(), pdf.New(corpusPDF(cache)).Reader())
}

// corpusPDF interprets PDFium if STRONGROOM_CORPUS_PDF is interpreter.
func corpusPDF(cache string) pdf.Options {
	return pdf.Options{Cache: cache, Interpret: os.Getenv("STRONGROOM_CORPUS_PDF") == "interpreter"}
}

// sample is a file with the words that are in it.
type sample struct {
	path  string
	data  []byte
	words []string // each once
}

// outcome is what became of a sample.
type outcome struct {
	path          string
	recall        float64
	cpu, took     time.Duration
	memory        int64 // bytes at most, with what was read before
	state, reason string
}

// BenchmarkCorpus reads files, and says for each kind how many were read with 95 and
// with 50 of a hundred of their words, each counted once, and what that took. The files
// are those below the directory STRONGROOM_CORPUS that have one beside them which is
// called the same and .txt after that, with the words; without, some are made.
func BenchmarkCorpus(b *testing.B) {
	samples := made()
	if dir := os.Getenv("STRONGROOM_CORPUS"); dir != "" {
		samples = corpus(b, dir)
	}
	kinds := map[extract.Kind][]sample{}
	for _, s := range samples {
		kind, err := extract.KindOf(b.Context(), s.file())
		if err != nil {
			b.Fatal(err)
		}
		kinds[kind] = append(kinds[kind], s)
	}
	cache := b.TempDir()
	if o := corpusPDF(cache); o.Wanting() {
		if err := pdf.Compile(b.Context(), o); err != nil {
			b.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatal(err)
	}
	for kind, of := range kinds {
		b.Run(string(kind), func(b *testing.B) {
			w := New(Options{Path: self, Args: []string{"read-corpus", cache}})
			defer w.Close()
			var outcomes []outcome
			for b.Loop() {
				outcomes = outcomes[:0]
				for _, s := range of {
					outcomes = append(outcomes, w.sample(b, s, corpusReaders(cache)))
				}
			}
			tell(b, outcomes)
		})
	}
}

func (s sample) file() extract.File {
	return extract.File{ReaderAt: bytes.NewReader(s.data), Size: int64(len(s.data)), Name: filepath.Base(s.path)}
}

// sample reads one in the process.
func (w *Worker) sample(b *testing.B, s sample, table []extract.Reader) outcome {
	before := w.spent()
	if before.pid != 0 {
		// The peak is of this file alone: 5 resets VmHWM, proc_pid_clear_refs(5).
		os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", before.pid), []byte("5"), 0)
	}
	began := time.Now()
	r, err := extract.Read(b.Context(), w.Readers(table), s.file())
	if err != nil {
		b.Fatal(s.path, err)
	}
	o := outcome{path: s.path, took: time.Since(began), state: string(r.State), reason: r.Reason}
	after := w.spent()
	o.cpu, o.memory = after.cpu-before.cpu, after.memory
	if after.pid != before.pid {
		o.cpu = o.took // it was started, or killed; nobody knows better
	}
	found := map[string]bool{}
	for _, word := range wordsOf(r.Text) {
		found[word] = true
	}
	for _, word := range s.words {
		if found[word] {
			o.recall++
		}
	}
	o.recall /= float64(len(s.words))
	return o
}

type spending struct {
	pid    int
	cpu    time.Duration
	memory int64
}

// spent is what the process has taken so far, where that can be told.
func (w *Worker) spent() (s spending) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.child == nil || runtime.GOOS != "linux" {
		return s
	}
	s.pid = w.child.cmd.Process.Pid
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.pid)); err == nil {
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		for _, ticks := range fields[11:13] { // of a hundredth of a second
			n, _ := strconv.Atoi(ticks)
			s.cpu += time.Duration(n) * 10 * time.Millisecond
		}
	}
	if status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.pid)); err == nil {
		if _, peak, ok := strings.Cut(string(status), "VmHWM:"); ok {
			fmt.Sscan(peak, &s.memory)
			s.memory <<= 10
		}
	}
	return s
}

// tell reports what became of the files, and on standard error, for a benchmark says no
// more than ten lines, of which less was read than should be.
func tell(b *testing.B, outcomes []outcome) {
	var most, half, crashed, slow, large float64
	var cpu time.Duration
	var took []time.Duration
	for _, o := range outcomes {
		if o.recall >= 0.95 {
			most++
		}
		if o.recall >= 0.5 {
			half++
		}
		if o.reason == extract.ErrCrashed.Error() {
			crashed++
		}
		if o.took > 10*time.Second {
			slow++
		}
		if o.memory > 300<<20 || o.reason == extract.ErrTooMuch.Error() {
			large++
		}
		if cpu += o.cpu; o.recall < 0.95 || o.state != string(extract.Indexed) || o.took > 5*time.Second || o.memory > 300<<20 {
			fmt.Fprintf(os.Stderr, "%.3f %s %s %v %d MiB %s\n", o.recall, o.state, o.reason, o.took.Round(time.Millisecond), o.memory>>20, o.path)
		}
		took = append(took, o.took)
	}
	slices.Sort(took)
	n := float64(len(outcomes))
	b.ReportMetric(n, "files")
	b.ReportMetric(100*most/n, "%recall≥0.95")
	b.ReportMetric(100*half/n, "%recall≥0.5")
	b.ReportMetric(cpu.Seconds()*1000/n, "cpu-ms/file")
	b.ReportMetric(took[len(took)/2].Seconds()*1000, "median-ms")
	b.ReportMetric(took[len(took)-1].Seconds()*1000, "longest-ms")
	b.ReportMetric(crashed, "crashed")
	b.ReportMetric(slow, "over-10s")
	b.ReportMetric(large, "over-300MiB")
	b.ReportMetric(0, "ns/op")
}

// corpus are the files below a directory.
func corpus(b *testing.B, dir string) (samples []sample) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		said, err := os.ReadFile(path + ".txt")
		if err != nil {
			return nil // there are no words of it
		}
		s := sample{path: path, words: wordsOf(string(said))}
		slices.Sort(s.words)
		if s.words = slices.Compact(s.words); len(s.words) == 0 {
			return nil
		}
		s.data, err = os.ReadFile(path)
		samples = append(samples, s)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	if len(samples) == 0 {
		b.Fatal("no file has its words beside it")
	}
	return samples
}

// divided is a word that a hyphen divides at the end of a line.
var divided = regexp.MustCompile(`(\pL)[-\x{ad}\x{2010}]\s*\n\s*(\p{Ll})`)

// wordsOf are the words of a text, in one spelling.
func wordsOf(text string) []string {
	text = strings.ReplaceAll(divided.ReplaceAllString(text, "$1$2"), "\u00ad", "")
	text = cases.Fold().String(norm.NFKC.String(text))
	return strings.FieldsFunc(text, func(r rune) bool { return !unicode.In(r, unicode.L, unicode.N, unicode.M) })
}

// made are files of ten kinds of content, with fixed words.
func made() (samples []sample) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 10 {
		var lines []string
		for range 20 + 100*i {
			var line []string
			for range 8 {
				word := make([]byte, 3+r.IntN(8))
				for j := range word {
					word[j] = 'a' + byte(r.IntN(26))
				}
				line = append(line, string(word))
			}
			lines = append(lines, strings.Join(line, " "))
		}
		words := slices.Compact(slices.Sorted(slices.Values(wordsOf(strings.Join(lines, "\n")))))
		for name, data := range map[string][]byte{"made.txt": []byte(strings.Join(lines, "\n")), "made.docx": madeDOCX(lines), "made.pdf": madePDF(lines)} {
			samples = append(samples, sample{name, data, words})
		}
	}
	return samples
}

func madeDOCX(lines []string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create("word/document.xml")
	if err == nil {
		_, err = fmt.Fprintf(w, `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body><w:p><w:r><w:t>%s</w:t></w:r></w:p></w:body></w:document>`,
			strings.Join(lines, "</w:t></w:r></w:p><w:p><w:r><w:t>"))
	}
	if err != nil || z.Close() != nil {
		panic(err) // it is memory
	}
	return b.Bytes()
}

// madePDF has fifty lines on a page.
func madePDF(lines []string) []byte {
	var kids, objects strings.Builder
	n := 4
	for page := range slices.Chunk(lines, 50) {
		content := "BT /F1 10 Tf 50 780 Td 14 TL (" + strings.Join(page, ") Tj T* (") + ") Tj ET"
		fmt.Fprintf(&kids, "%d 0 R ", n)
		fmt.Fprintf(&objects, "%d 0 obj\n<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents %d 0 R/Resources<</Font<</F1 3 0 R>>>>>>\nendobj\n", n, n+1)
		fmt.Fprintf(&objects, "%d 0 obj\n<</Length %d>>\nstream\n%s\nendstream\nendobj\n", n+1, len(content), content)
		n += 2
	}
	return fmt.Appendf(nil, "%%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n2 0 obj\n<</Type/Pages/Kids[%s]/Count %d>>\nendobj\n"+
		"3 0 obj\n<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>\nendobj\n%strailer\n<</Root 1 0 R/Size %d>>\n%%%%EOF\n", kids.String(), (n-4)/2, objects.String(), n)
}

// serveCorpus is the process that reads.
func serveCorpus(cache string) error {
	return Serve(context.Background(), Serving{Readers: corpusReaders(cache), Memory: DefaultMemory}, os.Stdin, os.Stdout)
}
