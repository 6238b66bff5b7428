fn main() {
    let i = std::io::stdin().lock();
    let o = std::io::stdout();
    let _ = evergrant::verdict::corpus::judge_lines(i, o, |_| std::borrow::Cow::Owned(evergrant::verdict::Rules::NONE));
}
