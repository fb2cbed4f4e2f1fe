//! One topic, or several.

/// One topic or several, borrowed or not.
pub trait Topics {
    /// All of them, in order.
    fn into_topics(self) -> Vec<String>;
}

impl Topics for &str {
    fn into_topics(self) -> Vec<String> {
        vec![self.to_owned()]
    }
}

impl Topics for String {
    fn into_topics(self) -> Vec<String> {
        vec![self]
    }
}

impl Topics for &String {
    fn into_topics(self) -> Vec<String> {
        vec![self.clone()]
    }
}

impl<S: AsRef<str>> Topics for &[S] {
    fn into_topics(self) -> Vec<String> {
        self.iter().map(|topic| topic.as_ref().to_owned()).collect()
    }
}

impl<S: AsRef<str>, const N: usize> Topics for [S; N] {
    fn into_topics(self) -> Vec<String> {
        self[..].into_topics()
    }
}

impl<S: AsRef<str>> Topics for Vec<S> {
    fn into_topics(self) -> Vec<String> {
        self[..].into_topics()
    }
}

impl<S: AsRef<str>> Topics for &Vec<S> {
    fn into_topics(self) -> Vec<String> {
        self[..].into_topics()
    }
}
