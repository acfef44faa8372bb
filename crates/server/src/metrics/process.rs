//! What the system knows of this process, from `/proc`.

/// The memory that is resident, in bytes.
pub(super) fn resident_bytes() -> Option<u64> {
    resident(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// How many descriptors are open.
pub(super) fn open_descriptors() -> Option<u64> {
    // The folder is open itself while it is read.
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1);
    u64::try_from(open).ok()
}

/// How many descriptors may be open.
pub(super) fn most_descriptors() -> Option<u64> {
    most(&std::fs::read_to_string("/proc/self/limits").ok()?)
}

fn resident(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kilobytes.checked_mul(1024)
}

fn most(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_writes_is_read() {
        let status = "Name:\thookhouse\nVmPeak:\t  123456 kB\nVmRSS:\t    7892 kB\nRssAnon:\t    4000 kB\n";
        assert_eq!(resident(status), Some(7892 * 1024));
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max open files            1024                 1048576              files     \n";
        assert_eq!(most(limits), Some(1024));
        for other in ["", "VmRSS:", "VmRSS: many kB", "Max open files   unlimited   unlimited   files"] {
            assert_eq!((resident(other), most(other)), (None, None));
        }
    }

    #[test]
    fn this_process_has_memory_and_descriptors() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
        let open = open_descriptors().unwrap();
        assert!(open >= 3, "{open}");
        assert!(most_descriptors().is_none_or(|most| most >= open));
    }
}
